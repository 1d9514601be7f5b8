// Secrets under many names, types and places, all in reach of one line: known by name,
// by type, by the source that declares them, and texts that only their look or strict mode
// hides. Ordinary values lie between them.
//
// Each secret is drawn at random when the program starts, and printed once after "ready",
// so that a test knows what must be nowhere: one line each, the kind and the text. A
// "marker" is ordinary text, which only strict mode hides.
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <any>
#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "tests/targets/vault_auth.h"

static volatile sig_atomic_t ended;
static volatile int64_t seen;

// Sixteen letters, or as many as there is room for.
static std::string draw(const char* kind, size_t length = 16) {
  static const int random = open("/dev/urandom", O_RDONLY);
  std::string text(length, 'a');
  for (char& letter : text) {
    unsigned char byte = 0;
    if (read(random, &byte, 1) != 1) abort();
    letter = static_cast<char>('a' + byte % 26);
  }
  printf("%s %s\n", kind, text.c_str());
  return text;
}

// A number whose bytes are letters, so that it is found as text too.
static int64_t draw_number(const char* kind) {
  int64_t number = 0;
  memcpy(&number, draw(kind, 8).data(), 8);
  return number;
}

namespace crypto {

template <class T>
struct Secret {
  T value;
};

using Sealed = Secret<int64_t>;

struct Master : Secret<int64_t> {
  int64_t serial;
};

struct Shape {
  virtual ~Shape() = default;
  int64_t sides = 4;
};

struct SealedShape : Shape {
  char inscription[24] = {};
};

}  // namespace crypto

struct Account {
  int64_t id;
  char m_passwd[24];
  int64_t limit;
};

struct Customer : Account {
  char kind;
  int64_t since;
  crypto::Sealed stamp;
  Ticket pass;
};

// Text under numbers, as the look of it is known.
union Form {
  char digits[24];
  struct {
    int64_t head;
    int64_t tail;
  } parts;
};

// A number under its halves.
union Split {
  int64_t number;
  int32_t halves[2];
  struct {
    int32_t low;
    int32_t high;
  };
  struct {
    int32_t first;
    int32_t second;
  } pair;
};

// Deeper than anything is shown.
template <int kLevels>
struct Nest {
  Nest<kLevels - 1> in;
};
template <>
struct Nest<0> {
  char password[24];
  int64_t depth;
};
using DeepNest = Nest<30>;

union Overlay {
  char password[24];
  int64_t words[3];
};

// Text in bytes that are no characters.
struct Byte {
  std::byte b;
};

struct Packet {
  int64_t size;
  unsigned char data[];
};

static char g_password[24];
static thread_local char t_token[24];
static int64_t orders_served;

struct Store {
  std::string api_token;
  const char* session_key;
  std::vector<std::string> passwords;
  std::map<std::string, std::string> credentials;
  std::optional<std::string> otp;
  std::unique_ptr<std::string> cookie;
  crypto::Secret<std::string> blob;
  std::vector<crypto::Secret<int64_t>> boxes;
  crypto::Master master;
  std::string marker;
  double ratio;
  std::shared_ptr<Account> shared = std::make_shared<Account>();
  DeepNest nest = {};
  Form form = {};
  const void* untyped = form.digits;
  const char* plain = "plain";
  Byte row[24] = {};
  std::list<int64_t> list = {1, 2, 3};
  std::vector<int64_t> numbers = {10, 20, 30};
  std::vector<int64_t> many = std::vector<int64_t>(25, 5);
  std::map<std::string, std::string> notes = {{"a", "b"}, {"c", "d"}};
  unsigned char digest[32] = {};
  unsigned char scan[64] = {};
  Packet* packet = nullptr;
  const unsigned char* raw = nullptr;
  const char* letter = nullptr;
  int64_t payee = 4111111111111111;
  double payee_as_float = 4111111111111111.0;
  Split split = {4111111111111111};
  Split whole = {1700000000123456};
  int64_t large = 1700000000123456;
  std::map<int64_t, crypto::Sealed> sealed_by_number = {};
  std::variant<int64_t, crypto::Sealed> one_of = {};
  std::function<int64_t()> unseal = {};
  std::function<int64_t(int64_t)> square = {};
  std::any anything = {};

  __attribute__((noinline)) int64_t ask(int64_t number) {
    seen = seen + number;  // the line in a member function
    asm volatile("" : : "g"(this) : "memory");
    return ratio > 0 ? number : 0;
  }
};

static std::function<int64_t()> seal() {
  const crypto::Sealed held{draw_number("type")};
  return [round = int64_t{1}, held] { return held.value ^ round; };
}

static int64_t squared(int64_t number) { return number * number; }

static void fill(char* to, size_t room, const std::string& text) {
  memset(to, 0, room);
  memcpy(to, text.data(), text.size() < room ? text.size() : room - 1);
}

__attribute__((noinline)) static int64_t serve(const Customer* customer, Store& store,
                                               crypto::Shape* shape, Overlay* overlay,
                                               crypto::Sealed** sealed, int64_t round) {
  char password[24];
  char neighbour[24];
  fill(password, sizeof password, store.api_token);
  fill(neighbour, sizeof neighbour, store.marker);
  char card[32];
  snprintf(card, sizeof card, "4111 1111 1111 1111");
  char first[16];
  char second[16];
  snprintf(first, sizeof first, "4012 8888");
  snprintf(second, sizeof second, "8888 1881");
  int counts[4] = {1, 2, 3, static_cast<int>(round & 7)};
  const crypto::Secret<std::string>& sealed_blob = store.blob;
  bool is_open = (round & 1) != 0;
  unsigned char bytes[static_cast<size_t>(24 + (round & 1))];
  memset(bytes, 9, sizeof bytes);
  const int64_t total = customer->id + customer->limit;
  seen = total + password[0] + neighbour[0] + card[0] + first[0] + second[0] + counts[3] +
         static_cast<int64_t>(sealed_blob.value.size()) + shape->sides + overlay->words[0] +
         (*sealed)->value + static_cast<int64_t>(store.ratio) + (is_open ? 1 : 0);
  orders_served += 1;  // the line that is probed
  // Whatever is in scope is still needed here.
  asm volatile(""
               :
               : "g"(customer), "g"(&store), "g"(shape), "g"(overlay), "g"(sealed), "g"(round),
                 "g"(is_open), "g"(total), "g"(password), "g"(neighbour), "g"(card), "g"(first),
                 "g"(second), "g"(counts), "g"(bytes)
               : "memory");
  return total;
}

// Each two variables of the same bytes.
__attribute__((noinline)) static int64_t overlaid(const std::string& secret, int64_t number) {
  union {
    char password_copy[24];
    int64_t copied[3];
  };
  fill(password_copy, sizeof password_copy, secret);
  union {
    int64_t paid_by;
    int32_t paid_parts[2];
  };
  paid_by = number;
  seen = seen + paid_parts[1] + copied[1];  // the line over unions without a name
  asm volatile("" : : "r"(copied), "r"(paid_parts) : "memory");
  return number;
}

// A caller with secrets of its own.
__attribute__((noinline)) static int64_t handle(Customer& customer, Store& store,
                                                crypto::Shape* shape, Overlay* overlay,
                                                crypto::Sealed** sealed, int64_t round) {
  char secret_note[24];
  char remark[24];
  fill(secret_note, sizeof secret_note, store.passwords[0]);
  fill(remark, sizeof remark, store.marker);
  customer.id = round;
  overlaid(store.api_token, store.payee);
  const int64_t result = serve(&customer, store, shape, overlay, sealed, round);
  seen = seen + secret_note[0] + remark[0];
  return result == round + 1000 ? 0 : 1;
}

static void on_term(int) { ended = 1; }

int main() {
  signal(SIGTERM, on_term);
  puts("ready");
  Store store{draw("name"),
              strdup(draw("name").c_str()),
              {draw("name"), draw("name")},
              {},
              {},
              {},
              {draw("type")},
              {},
              {},
              draw("marker"),
              2.5};
  store.credentials[draw("name")] = draw("name");
  store.otp = draw("name");
  store.cookie = std::make_unique<std::string>(draw("name"));
  store.boxes = {{draw_number("type")}, {draw_number("type")}};
  store.master.value = draw_number("type");
  store.master.serial = 77;
  fill(store.shared->m_passwd, sizeof store.shared->m_passwd, draw("name"));
  fill(reinterpret_cast<char*>(&store.nest), sizeof(Nest<0>::password), draw("name"));
  fill(store.form.digits, sizeof store.form.digits, "4111 1111 1111 1111");
  fill(reinterpret_cast<char*>(store.row), sizeof store.row, store.marker);
  for (size_t i = 0; i < sizeof store.digest; ++i)
    store.digest[i] = static_cast<unsigned char>(130 + 3 * i);
  memcpy(store.scan + 40, "4111 1111 1111 1111", 19);
  store.packet = static_cast<Packet*>(calloc(1, sizeof(Packet) + 512));
  store.packet->size = 512;
  store.packet->data[3] = 77;
  store.raw = store.packet->data + 1;
  memcpy(store.packet->data + 300, "4111 1111 1111 1111", 19);
  char* letter = static_cast<char*>(calloc(1, 1024));
  memset(letter, 'x', 900);
  memcpy(letter + 600, "4111 1111 1111 1111", 19);
  store.letter = letter;
  store.sealed_by_number[1] = {draw_number("type")};
  store.one_of = crypto::Sealed{draw_number("type")};
  store.unseal = seal();
  store.square = squared;
  store.anything = crypto::Sealed{draw_number("type")};
  Customer customer{};
  customer.limit = 1000;
  customer.kind = 'c';
  customer.since = 1999;
  fill(customer.m_passwd, sizeof customer.m_passwd, draw("name"));
  customer.stamp.value = draw_number("type");
  customer.pass.number = draw_number("source");
  fill(customer.pass.text, sizeof customer.pass.text, draw("source"));
  issued = customer.pass;
  last_issued = draw_number("source");
  crypto::SealedShape shape;
  fill(shape.inscription, sizeof shape.inscription, draw("type"));
  Overlay overlay;
  fill(overlay.password, sizeof overlay.password, draw("name"));
  crypto::Sealed hidden{draw_number("type")};
  crypto::Sealed* sealed = &hidden;
  fill(g_password, sizeof g_password, draw("name"));
  fill(t_token, sizeof t_token, draw("name"));
  puts("end");
  fflush(stdout);
  int64_t wrong = 0;
  int64_t round = 0;
  while (!ended) {
    wrong += handle(customer, store, &shape, &overlay, &sealed, ++round);
    seen = seen + store.ask(round);
    seen = seen + t_token[0] + g_password[0] + issued.number + last_issued;
    const timespec pause = {0, 2000000};
    nanosleep(&pause, nullptr);
  }
  printf("rounds %lld wrong %lld\n", static_cast<long long>(round), static_cast<long long>(wrong));
  return wrong == 0 ? 0 : 1;
}
