// Load for the orders service, and a check on it: every reply must be, byte for
// byte, what this program computes by itself from the request it sent.
//
//   orders_load PORT [--connections N] [--requests N] [--seconds N] [--rate N]
//
// Ends after so many requests or seconds, whichever comes first, or at SIGTERM;
// --rate is requests a second for each connection. Prints counts and a checksum over all
// replies; exit status 1 when one was wrong.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

volatile sig_atomic_t ended = 0;

using Clock = std::chrono::steady_clock;

struct Options {
  int port = 0;
  int connections = 4;
  std::int64_t requests = 1'000;
  double seconds = 10;
  double rate = 0;  // 0: as fast as it goes
};

struct Totals {
  std::atomic<std::int64_t> claimed{0};
  std::atomic<std::int64_t> replies{0};
  std::atomic<std::int64_t> wrong{0};
  std::atomic<std::uint64_t> checksum{0};  // a sum, so that order does not matter
};

struct Exchange {
  std::string request;
  std::string reply_tail;  // the reply past its id, which the service chooses
};

// The n-th order: user, tier and items follow from the number alone.
Exchange exchange_of(std::int64_t n) {
  static constexpr const char* kTiers[] = {"standard", "silver", "gold"};
  static constexpr int kPercent[] = {0, 5, 10};
  const auto person = n % 97;
  const auto tier = static_cast<std::size_t>(person % 3);
  std::string body = "user=user" + std::to_string(person) + "&tier=" + kTiers[tier] + "&items=";
  std::int64_t total = 0;
  for (std::int64_t i = 0; i <= n % 4; ++i) {
    const auto pieces = (n + i) % 13 + 1;
    const auto cents = (n * 7 + i * 131) % 5'000 + 1;
    const auto percent = kPercent[tier] + (pieces >= 10 ? 2 : 0);
    total += pieces * cents - pieces * cents * percent / 100;
    if (i > 0) body += ',';
    body += "sku" + std::to_string((n + i) % 31) + ':' + std::to_string(pieces) + ':' +
            std::to_string(cents);
  }
  char tail[160];
  std::snprintf(tail, sizeof tail,
                R"(,"user":"user%lld","total_cents":%lld,"total":%.2f,"status":"accepted"})",
                static_cast<long long>(person), static_cast<long long>(total),
                static_cast<double>(total) / 100.0);
  std::string request =
      "POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) +
      "\r\n\r\n" + body;
  return {std::move(request), tail};
}

std::uint64_t hash_of(std::string_view text) {  // FNV-1a
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

int connect_to(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int yes = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  const timeval patience{.tv_sec = 5, .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

// The body of the next reply on the connection; empty when there is none.
std::string next_reply(int fd, std::string& buffer) {
  constexpr std::string_view kName = "Content-Length: ";
  for (;;) {
    const auto end = buffer.find("\r\n\r\n");
    if (end != std::string::npos) {
      const auto at = buffer.find(kName);
      const std::size_t length =
          at < end ? std::strtoul(&buffer[at + kName.size()], nullptr, 10) : 0;
      if (buffer.size() >= end + 4 + length) {
        std::string body = buffer.substr(end + 4, length);
        buffer.erase(0, end + 4 + length);
        return body;
      }
    }
    char chunk[4096];
    const auto n = recv(fd, chunk, sizeof chunk, 0);
    if (n <= 0) return {};
    buffer.append(chunk, static_cast<std::size_t>(n));
  }
}

bool is_right(const std::string& body, const Exchange& exchange) {
  return body.starts_with(R"({"id":)") && body.ends_with(exchange.reply_tail);
}

void drive(const Options& options, Clock::time_point end, Totals& totals) {
  const int fd = connect_to(options.port);
  std::string buffer;
  auto next = Clock::now();
  while (fd >= 0 && ended == 0 && Clock::now() < end) {
    const auto n = totals.claimed.fetch_add(1);
    if (n >= options.requests) break;
    const Exchange exchange = exchange_of(n);
    const auto sent = send(fd, exchange.request.data(), exchange.request.size(), MSG_NOSIGNAL);
    const std::string body = next_reply(fd, buffer);
    totals.replies += 1;
    totals.checksum +=
        hash_of(std::string_view(body).substr(std::min(body.size(), body.find(','))));
    if (sent != static_cast<ssize_t>(exchange.request.size()) || !is_right(body, exchange)) {
      if (totals.wrong.fetch_add(1) == 0) {
        std::fprintf(stderr, "wrong reply to order %lld: '%s'\n", static_cast<long long>(n),
                     body.c_str());
      }
      break;
    }
    if (options.rate > 0) {
      next += std::chrono::nanoseconds(static_cast<std::int64_t>(1e9 / options.rate));
      std::this_thread::sleep_until(next);
    }
  }
  if (fd < 0) totals.wrong += 1;
  if (fd >= 0) close(fd);
}

bool parse(int argc, char** argv, Options& options) {
  if (argc < 2 || argc % 2 != 0) return false;
  options.port = std::atoi(argv[1]);
  for (int i = 2; i < argc; i += 2) {
    const std::string_view name = argv[i];
    const double number = std::atof(argv[i + 1]);
    if (name == "--connections") {
      options.connections = static_cast<int>(number);
    } else if (name == "--requests") {
      options.requests = static_cast<std::int64_t>(number);
    } else if (name == "--seconds") {
      options.seconds = number;
    } else if (name == "--rate") {
      options.rate = number;
    } else {
      return false;
    }
  }
  return options.port > 0 && options.connections > 0 && options.connections <= 256;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    std::fprintf(stderr,
                 "usage: orders_load PORT [--connections N] [--requests N] [--seconds N] "
                 "[--rate N]\n");
    return 2;
  }
  signal(SIGTERM, [](int) { ended = 1; });
  Totals totals;
  const auto begin = Clock::now();
  const auto end =
      begin + std::chrono::nanoseconds(static_cast<std::int64_t>(options.seconds * 1e9));
  {
    std::vector<std::jthread> drivers;
    for (int i = 0; i < options.connections; ++i) {
      drivers.emplace_back([&] { drive(options, end, totals); });
    }
  }
  const std::chrono::duration<double> took = Clock::now() - begin;
  std::printf("replies %lld wrong %lld checksum %llu rate %.0f/s\n",
              static_cast<long long>(totals.replies), static_cast<long long>(totals.wrong),
              static_cast<unsigned long long>(totals.checksum),
              static_cast<double>(totals.replies) / took.count());
  return totals.wrong == 0 && totals.replies > 0 ? 0 : 1;
}
