// The static tracepoint that stands for LTTng-UST in the comparison. Included
// several times by LTTng's own header, hence no #pragma once.
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER nohalt_bench

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "tests/bench/peers/tracepoints.h"

#if !defined(NOHALT_BENCH_TRACEPOINTS_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define NOHALT_BENCH_TRACEPOINTS_H

#include <lttng/tracepoint.h>
#include <stdint.h>

LTTNG_UST_TRACEPOINT_EVENT(nohalt_bench, hit,
                           LTTNG_UST_TP_ARGS(int64_t, first, int64_t, second, int64_t, third),
                           LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(int64_t, first, first)
                                                   lttng_ust_field_integer(int64_t, second, second)
                                                       lttng_ust_field_integer(int64_t, third,
                                                                               third)))

#endif

#include <lttng/tracepoint-event.h>
