// What a C compiler makes of expressions: the table that the evaluator is held to.
#include "semantics.h"

#define CASE(expression) {#expression, (expression), sizeof(expression)},

const struct semantics_case semantics_cases[] = {
    CASE(7 / -2) CASE(-7 % 3) CASE(7 % -3) CASE(-7 / 2) CASE(1 + 2 * 3 - 4)
    CASE(-1 < 0u) CASE(-1 < 0) CASE(-1l < 0u) CASE(-1 < 0ul) CASE((unsigned char)300 + 1)
    CASE((signed char)200) CASE((unsigned short)-1) CASE((short)40000 * 2) CASE(-1 >> 1)
    CASE(-1u >> 1) CASE(1 << 31 >> 31) CASE(1u << 31) CASE(0xffffffff + 1) CASE(4294967295 + 1)
    CASE(0x7fffffff + 1u) CASE(~0u) CASE(~0) CASE(~0ul) CASE(-2147483648) CASE(1.5f + 1)
    CASE(0.1f == 0.1) CASE(0.1 + 0.2 == 0.3) CASE(0.1f + 0.2f) CASE(0.1 + 0.2) CASE(1 / 3.0)
    CASE(1.0f / 3) CASE(1.0l / 3) CASE((int)2.9) CASE((int)-2.9) CASE((unsigned char)65.7)
    CASE((float)16777217) CASE((double)9007199254740993) CASE((long)1e18) CASE(1 ? 2 : 3u)
    CASE(0 ? 2 : 3.5) CASE(-1 ? -1 : 0u) CASE(!5 + !0) CASE(5 && 0 || 1) CASE(1 || 1 / 1 && 0)
    CASE(6 & 3 == 3) CASE(6 ^ 3 | 8) CASE((6 & 3) << 2) CASE(10 - 4 - 3) CASE(2 + 3 << 1)
    CASE('a' + 1) CASE('\xff' < 0) CASE('\n') CASE(0x10 + 010 + 0b11) CASE((_Bool)0.2 + 1)
    CASE((_Bool)256) CASE(18446744073709551615u % 10) CASE(-9223372036854775807 - 1)
    CASE(5 == 5u) CASE(1.0 == 1) CASE((char)-1 == 255) CASE((unsigned char)-1 == 255)
    CASE(+(short)3) CASE(-(unsigned short)3) CASE(-5u / 2) CASE(1e30f * 1e30f) CASE(3 > 2 > 1)
};
const int semantics_count = sizeof semantics_cases / sizeof *semantics_cases;
