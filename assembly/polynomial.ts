/**
 * Arithmetic modulo the polynomial of CRC-32C. A register is a polynomial of degree < 32 over GF(2), reflected: bit 31 is x^0.
 *
 * What is always true
 *   - The register after n zero bytes is the register before them times x^(8n): all that shifting and joining CRCs needs.
 *   - The polynomial is (x + 1) times a primitive one of degree 31, so x^(2^31 - 1) = 1: exponents count modulo 2^31 - 1, and
 *     x^-n = x^(2^31 - 1 - n).
 */

/** 0x1EDC6F41, reflected, without its x^32. */
const POLYNOMIAL: u32 = 0x82f63b78;
export const ONE: u32 = 0x80000000;
export const X: u32 = 0x40000000;
/** x to this power is one. */
export const ORDER: u64 = 0x7fffffff;

export function timesX(a: u32): u32 {
  return (a >>> 1) ^ (POLYNOMIAL & (0 - (a & 1)));
}

export function multiply(a: u32, b: u32): u32 {
  let product: u32 = 0;
  for (let degree = 0; degree < 32; degree++) {
    product ^= b & (0 - (a >>> 31));
    a <<= 1;
    b = timesX(b);
  }
  return product;
}
