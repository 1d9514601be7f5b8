// Starts what is in the library.
int begin();

int main() { return begin(); }
