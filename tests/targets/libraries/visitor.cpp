// The library that comes and goes while others work.
static long visits = 0;

extern "C" long visit(long amount) {
  const long doubled = amount * 2;
  ++visits;
  return doubled + 3;  // the visitor's line
}
