// A C expression as text, and what the compiler made of it.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

struct semantics_case {
  const char* text;
  long double value;
  unsigned long size;
};
extern const struct semantics_case semantics_cases[];
extern const int semantics_count;

#ifdef __cplusplus
}
#endif
