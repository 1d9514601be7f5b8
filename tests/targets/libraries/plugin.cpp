// The library that the program opens and closes by itself.
extern "C" long bonus(long amount) {
  const long tenth = amount / 10;
  return tenth + 1;  // the plugin's line
}
