// What a policy may hide by the file that declares it: nothing in here has a name that
// tells anything.
#pragma once

#include <stdint.h>

struct Ticket {
  int64_t number;
  char text[24];
};

static Ticket issued;
static int64_t last_issued;
