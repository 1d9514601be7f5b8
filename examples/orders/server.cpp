// Every thread waits in the same epoll. A connection is armed for one event at
// a time (EPOLLONESHOT), so only one thread works on it, whichever is free.
#include "examples/orders/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <thread>
#include <vector>

namespace orders {
namespace {

struct Connection {
  explicit Connection(int descriptor) : fd(descriptor) {}
  ~Connection() { close(fd); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int fd;
  std::string incoming;
};

class Server {
 public:
  explicit Server(Shop& shop) : shop_(shop) {}
  bool open(int port);
  void run(int threads, const sigset_t& ending);

 private:
  void work();
  void accept_all();
  bool advance(Connection& connection);
  void watch(Connection* connection, int operation) const;

  Shop& shop_;
  int listener_ = -1;
  int epoll_ = -1;
  int stop_ = -1;
};

bool send_all(int fd, const std::string& text) {
  for (std::size_t sent = 0; sent < text.size();) {
    const auto n = send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (n > 0) {
      sent += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN) {
      std::this_thread::yield();
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

bool Server::open(int port) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  stop_ = eventfd(0, EFD_CLOEXEC);
  const int yes = 1;
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = sizeof address;
  if (bind(listener_, generic, length) != 0 || listen(listener_, 512) != 0) return false;
  getsockname(listener_, generic, &length);
  epoll_event event{.events = EPOLLIN | EPOLLEXCLUSIVE, .data = {.ptr = &listener_}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event);
  event = {.events = EPOLLIN, .data = {.ptr = &stop_}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, stop_, &event);
  std::printf("listening on %d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return true;
}

void Server::watch(Connection* connection, int operation) const {
  epoll_event event{.events = EPOLLIN | EPOLLONESHOT, .data = {.ptr = connection}};
  epoll_ctl(epoll_, operation, connection->fd, &event);
}

void Server::accept_all() {
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    watch(new Connection(fd), EPOLL_CTL_ADD);
  }
}

// Reads what is there and answers every whole request; false ends the connection.
bool Server::advance(Connection& connection) {
  char chunk[4096];
  for (;;) {
    const auto n = recv(connection.fd, chunk, sizeof chunk, 0);
    if (n > 0) {
      connection.incoming.append(chunk, static_cast<std::size_t>(n));
    } else if (n < 0 && errno == EAGAIN) {
      break;
    } else if (n == 0 || errno != EINTR) {
      return false;
    }
  }
  for (Request request;;) {
    switch (take_request(connection.incoming, request)) {
      case ParseState::kNeedMore:
        return true;
      case ParseState::kBad:
        return false;
      case ParseState::kComplete:
        if (!send_all(connection.fd, serialise(handle(shop_, request)))) return false;
    }
  }
}

void Server::work() {
  for (;;) {
    epoll_event event{};
    if (epoll_wait(epoll_, &event, 1, -1) < 1) continue;
    if (event.data.ptr == &stop_) return;
    if (event.data.ptr == &listener_) {
      accept_all();
      continue;
    }
    auto* connection = static_cast<Connection*>(event.data.ptr);
    if (advance(*connection)) {
      watch(connection, EPOLL_CTL_MOD);
    } else {
      delete connection;
    }
  }
}

void Server::run(int threads, const sigset_t& ending) {
  std::vector<std::jthread> workers;
  for (int i = 0; i < threads; ++i) workers.emplace_back([this] { work(); });
  int number = 0;
  sigwait(&ending, &number);
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(stop_, &one, sizeof one);
}

}  // namespace

bool serve(Shop& shop, int port, int threads) {
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  Server server(shop);
  if (!server.open(port)) return false;
  server.run(threads, ending);
  return true;
}

}  // namespace orders
