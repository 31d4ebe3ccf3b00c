/*
 * What the processor can do: CRC-32C with its own instructions, and memcpy, timed by size.
 *
 *     crc32c MILLISECONDS SIZE...        prints lines `kernel size nanoseconds`: the best batch of calls within the time
 *
 * Always true:
 *  - Each kernel is held against the bit-by-bit definition before it is timed; a wrong one ends the program with status 1.
 *  - A kernel that this processor lacks is not printed.
 */
#include <errno.h>
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLYNOMIAL 0x82f63b78u
#define LONG_LANE 1360u
#define SHORT_LANE 336u

typedef uint32_t (*kernel)(uint32_t crc, const uint8_t *data, size_t len);

static uint64_t long_once, long_twice, short_once, short_twice;
static uint64_t fold_low[9], fold_high[9];

static uint32_t definition(uint32_t crc, const uint8_t *data, size_t len)
{
	for (; len > 0; len--, data++) {
		crc ^= *data;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (POLYNOMIAL & (0u - (crc & 1)));
	}
	return crc;
}

/* x^exponent modulo the polynomial; bit 31 is x^0. */
static uint32_t power(uint64_t exponent)
{
	uint32_t product = 0x80000000u;

	while (exponent-- > 0)
		product = (product >> 1) ^ (POLYNOMIAL & (0u - (product & 1)));
	return product;
}

static void init_constants(void)
{
	/* crc32q multiplies by x^32, and the product of two reflected words is one x too high: hence 33. */
	long_once = power(8 * LONG_LANE - 33);
	long_twice = power(16 * LONG_LANE - 33);
	short_once = power(8 * SHORT_LANE - 33);
	short_twice = power(16 * SHORT_LANE - 33);
	for (unsigned int i = 1; i <= 8; i++) {
		fold_low[i] = (uint64_t)power(128 * i + 63) << 32;
		fold_high[i] = (uint64_t)power(128 * i - 1) << 32;
	}
}

static uint64_t load(const uint8_t *data)
{
	uint64_t word;

	memcpy(&word, data, sizeof(word));
	return word;
}

__attribute__((target("sse4.2"))) static uint32_t one_stream(uint32_t crc, const uint8_t *data, size_t len)
{
	uint64_t wide = crc;

	for (; len >= 8; len -= 8, data += 8)
		wide = _mm_crc32_u64(wide, load(data));
	crc = (uint32_t)wide;
	for (; len > 0; len--, data++)
		crc = _mm_crc32_u8(crc, *data);
	return crc;
}

__attribute__((target("sse4.2,pclmul"))) static uint64_t shift(uint64_t crc, uint64_t constant)
{
	__m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)crc), _mm_cvtsi64_si128((long long)constant), 0);

	return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

/* Three lanes side by side: crc32q takes three cycles, and one can begin in each. */
__attribute__((target("sse4.2,pclmul"))) static inline uint64_t lanes(uint64_t crc, const uint8_t *data, size_t lane, uint64_t once, uint64_t twice)
{
	uint64_t second = 0, third = 0;

	for (size_t i = 0; i < lane; i += 8) {
		crc = _mm_crc32_u64(crc, load(data + i));
		second = _mm_crc32_u64(second, load(data + lane + i));
		third = _mm_crc32_u64(third, load(data + 2 * lane + i));
	}
	return shift(crc, twice) ^ shift(second, once) ^ third;
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t three_streams(uint32_t crc, const uint8_t *data, size_t len)
{
	uint64_t wide = crc;

	for (; len >= 3 * LONG_LANE; len -= 3 * LONG_LANE, data += 3 * LONG_LANE)
		wide = lanes(wide, data, LONG_LANE, long_once, long_twice);
	for (; len >= 3 * SHORT_LANE; len -= 3 * SHORT_LANE, data += 3 * SHORT_LANE)
		wide = lanes(wide, data, SHORT_LANE, short_once, short_twice);
	return one_stream((uint32_t)wide, data, len);
}

/* Eight vectors of 128 bits, two to a register, each carried 128 bytes further by carry-less products. */
__attribute__((target("avx2,sse4.2,pclmul,vpclmulqdq"))) static uint32_t fold(uint32_t crc, const uint8_t *data, size_t len)
{
	const __m256i further = _mm256_set_epi64x((long long)fold_high[8], (long long)fold_low[8], (long long)fold_high[8], (long long)fold_low[8]);
	__m256i wide[4];
	__m128i parts[8], sum;

	if (len < 256)
		return one_stream(crc, data, len);
	for (int i = 0; i < 4; i++)
		wide[i] = _mm256_loadu_si256((const __m256i *)(const void *)(data + 32 * i));
	wide[0] = _mm256_xor_si256(wide[0], _mm256_set_epi64x(0, 0, 0, (long long)crc));
	for (data += 128, len -= 128; len >= 128; data += 128, len -= 128) {
		for (int i = 0; i < 4; i++) {
			__m256i next = _mm256_loadu_si256((const __m256i *)(const void *)(data + 32 * i));
			__m256i low = _mm256_clmulepi64_epi128(wide[i], further, 0x00);
			__m256i high = _mm256_clmulepi64_epi128(wide[i], further, 0x11);

			wide[i] = _mm256_xor_si256(_mm256_xor_si256(low, high), next);
		}
	}
	for (int i = 0; i < 4; i++) {
		parts[2 * i] = _mm256_castsi256_si128(wide[i]);
		parts[2 * i + 1] = _mm256_extracti128_si256(wide[i], 1);
	}
	sum = parts[7];
	for (int i = 0; i < 7; i++) {
		__m128i constant = _mm_set_epi64x((long long)fold_high[7 - i], (long long)fold_low[7 - i]);

		sum = _mm_xor_si128(sum, _mm_clmulepi64_si128(parts[i], constant, 0x00));
		sum = _mm_xor_si128(sum, _mm_clmulepi64_si128(parts[i], constant, 0x11));
	}
	crc = (uint32_t)_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(sum));
	crc = (uint32_t)_mm_crc32_u64(crc, (uint64_t)_mm_extract_epi64(sum, 1));
	return one_stream(crc, data, len);
}

static uint8_t *copy_target;
/* Keeps results from being thought useless. */
volatile uint32_t sink;

static uint32_t copy(uint32_t crc, const uint8_t *data, size_t len)
{
	memcpy(copy_target, data, len);
	return crc;
}

static const struct {
	const char *name;
	kernel run;
	int checked;
} KERNELS[] = {
	{ "one-stream", one_stream, 1 },
	{ "three-streams", three_streams, 1 },
	{ "vpclmul", fold, 1 },
	{ "memcpy", copy, 0 },
};

static int supported(const char *name)
{
	__builtin_cpu_init();
	if (strcmp(name, "memcpy") == 0)
		return 1;
	if (strcmp(name, "one-stream") == 0)
		return __builtin_cpu_supports("sse4.2");
	if (strcmp(name, "three-streams") == 0)
		return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("vpclmulqdq");
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* The best nanoseconds per call of many batches. The kernel is called through a pointer that the compiler cannot see through. */
static double best_of(kernel volatile run, const uint8_t *data, size_t len, double budget)
{
	const size_t calls = len >= 200000 ? 1 : 200000 / (len + 20);
	const double end = now() + budget;
	double best = 1e18;

	for (double begin = now(); begin < end;) {
		const kernel direct = run;

		for (size_t i = 0; i < calls; i++)
			sink = direct((uint32_t)i, data, len);
		const double done = now();

		if ((done - begin) / (double)calls < best)
			best = (done - begin) / (double)calls;
		begin = done;
	}
	return best;
}

static int check(const char *name, kernel run, const uint8_t *data)
{
	for (size_t len = 0; len < 9000; len += len < 600 ? 1 : 97) {
		if (run(0x12345678u, data + len % 16, len) == definition(0x12345678u, data + len % 16, len))
			continue;
		fprintf(stderr, "crc32c: %s is wrong for %zu bytes\n", name, len);
		return -EINVAL;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const size_t room = ((size_t)1 << 24) + 4096;
	uint8_t *const data = malloc(room);

	copy_target = malloc(room);
	if (argc < 3 || data == NULL || copy_target == NULL) {
		fprintf(stderr, "usage: crc32c MILLISECONDS SIZE...\n");
		return 2;
	}
	for (size_t i = 0; i < room; i++)
		data[i] = (uint8_t)((i * 2654435761u) >> 13);
	memset(copy_target, 1, room);
	init_constants();
	for (size_t k = 0; k < sizeof(KERNELS) / sizeof(KERNELS[0]); k++) {
		if (!supported(KERNELS[k].name))
			continue;
		if (KERNELS[k].checked && check(KERNELS[k].name, KERNELS[k].run, data) < 0)
			return 1;
		for (int i = 2; i < argc; i++) {
			const size_t len = strtoul(argv[i], NULL, 10);

			if (len == 0 || len > room - 4096)
				return 2;
			printf("%s %zu %.3f\n", KERNELS[k].name, len, best_of(KERNELS[k].run, data, len, strtod(argv[1], NULL) * 1e6));
		}
	}
	free(copy_target);
	free(data);
	return 0;
}
