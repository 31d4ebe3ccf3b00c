/** The names of AssemblyScript's number types, for the files that both compilers read (assembly/media.ts, assembly/plan.ts). */
declare type u32 = number;
declare type i32 = number;
