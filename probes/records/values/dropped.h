// What policy drops, taken out of a value: nothing stands in its place, and what is left
// is whole in itself.
//
// Threading: pure.
#pragma once

#include "probes/records/values/value.h"

namespace nohalt::values {

// Members and items that are dropped go. What has nothing else is dropped with it: what is
// optional, one of several, a text. Of a map's item the other half stays.
void leave_out_dropped(Value& value);

}  // namespace nohalt::values
