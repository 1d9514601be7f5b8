// One of two files with the same name.
int part_left(int number);

int part_left(int number) {
  int twice = number * 2;
  return twice + 1;
}
