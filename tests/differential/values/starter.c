// Starts what is in the library.
int begin(void);

int main(void) { return begin(); }
