// Secrets in every place that a snapshot of serve() comes near: in members and
// variables that a rule knows by name, in registers, behind pointers, in a text that a
// rule knows by its look; and in bytes that belong to nobody: padding, what lies behind
// the end of a text, in unused room, in what earlier calls left on the stack.
//
// Each secret is eight characters of its own, made when it is planted, so that it is in
// no file. Ordinary values lie between them.
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <string>
#include <vector>

static volatile sig_atomic_t ended;
static volatile int64_t seen;

// "SEC-" and the kind of the place, three times, and one more character.
__attribute__((noinline)) static void plant(void* at, char kind) {
  char secret[8] = {'s', 'e', 'c', '-', kind, kind, kind, '!'};
  for (int i = 0; i < 3; ++i) secret[i] = static_cast<char>(secret[i] - 'a' + 'A');
  memcpy(at, secret, sizeof secret);
}

__attribute__((noinline)) static int64_t number(char kind) {
  int64_t word;
  plant(&word, kind);
  return word;
}

struct Account {
  char kind;  // seven bytes of padding
  int64_t id;
  char password[16];
  const char* api_token;
  int64_t limit;
  const char* owner;
};

// What it leaves below the stack of its caller is no longer anybody's.
__attribute__((noinline)) static int64_t litter() {
  char scratch[4096];
  for (size_t i = 0; i < sizeof scratch; i += 8) plant(scratch + i, 'l');
  seen = scratch[seen & 4095];
  return seen;
}

__attribute__((noinline)) static int64_t serve(const Account* account, int64_t session_token,
                                               double ratio, const std::string& name,
                                               const std::vector<int>& items) {
  char note[64];
  strcpy(note, "note");  // litter behind it
  char contact[32];
  snprintf(contact, sizeof contact, "sec-%c%c%c@example.com", 'm', 'm', 'm');
  const std::vector<char> letters(contact, contact + sizeof contact);
  unsigned char octets[32];
  memcpy(octets, contact, sizeof octets);
  seen = static_cast<int64_t>(letters.size()) + octets[0];
  const char* greeting = name.c_str();
  const int64_t total = account->id + account->limit;
  const int64_t opened = total + (session_token & 1);
  seen = opened;
  const int64_t result = total + static_cast<int64_t>(ratio) + items[0];
  seen = result + note[0] + contact[0] + greeting[0] + (session_token & 1) - (session_token & 1);
  return result;
}

// The caller's secrets are in a register, on the stack, and in what it passes.
__attribute__((noinline)) static int64_t handle(int64_t round) {
  int64_t result = 0;
  Account* account = static_cast<Account*>(malloc(sizeof(Account)));
  for (size_t i = 0; i < sizeof *account; i += 8) plant(reinterpret_cast<char*>(account) + i, 'p');
  char token_text[16] = {};
  plant(token_text, 't');
  account->kind = 'a';
  account->id = round;
  memset(account->password, 0, sizeof account->password);
  plant(account->password, 'w');
  account->api_token = token_text;
  account->limit = 1000;
  account->owner = "anna";
  const int64_t session_token = number('r');
  std::string name(12, '-');
  plant(name.data() + 4, 'o');
  name = "bob";  // of what was there, the end is left
  std::vector<int> items = {7, 8, 9};
  items.reserve(8);
  plant(items.data() + 4, 'v');
  result = serve(account, session_token, 2.5, name, items);
  seen = session_token + token_text[0];
  free(account);
  return result == round + 1000 + 2 + 7 ? 0 : 1;
}

static void on_term(int) { ended = 1; }

int main() {
  int64_t wrong = 0;
  int64_t round = 0;
  signal(SIGTERM, on_term);
  puts("ready");
  fflush(stdout);
  while (!ended) {
    litter();
    wrong += handle(++round);
    const timespec pause = {0, 2000000};
    nanosleep(&pause, nullptr);
  }
  printf("rounds %lld wrong %lld\n", static_cast<long long>(round), static_cast<long long>(wrong));
  return wrong == 0 ? 0 : 1;
}
