// The other of two files with the same name.
int part_right(int number);

int part_right(int number) {
  int half = number / 2;
  return half - 1;
}
