// Where data goes: files that are safe to write, readers that are slow or gone.
#include "src/output/sink.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "src/base/file.h"

namespace nohalt::output {
namespace {

using std::chrono::milliseconds;

class OutputFile : public testing::Test {
 protected:
  OutputFile() {
    std::string pattern = std::filesystem::temp_directory_path() / "nohalt-sink-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~OutputFile() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::string path(const char* name = "out") const { return folder_ / name; }

  static void expect_refused(const std::string& path, const char* part) {
    const auto sink = Sink::open(path);
    ASSERT_FALSE(sink) << path;
    EXPECT_EQ(sink.error().reason, "output-unwritable");
    EXPECT_NE(sink.error().message.find(part), std::string::npos) << sink.error().message;
  }

  std::filesystem::path folder_;
};

TEST_F(OutputFile, IsMadeForItsOwnerAloneAndHoldsWhatWasPut) {
  auto sink = Sink::open(path());
  ASSERT_TRUE(sink);
  EXPECT_TRUE(sink->put("one\n"));
  EXPECT_TRUE(sink->put("two\n"));
  EXPECT_EQ(sink->drain(milliseconds{1000}).value(), SinkState::kOpen);
  EXPECT_EQ(read_file(path()).value(), "one\ntwo\n");
  struct stat status{};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
}

TEST_F(OutputFile, AnOldFileIsEmptiedAndClosedToOthers) {
  std::ofstream(path()) << "old and long";
  ASSERT_EQ(::chmod(path().c_str(), 0644), 0);
  ASSERT_TRUE(Sink::open(path()));
  struct stat status{};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_size, 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
}

TEST_F(OutputFile, RefusesLinksAndSpecialFilesUntouched) {
  std::ofstream(path("real")) << "keep";
  ASSERT_EQ(::symlink(path("real").c_str(), path("link").c_str()), 0);
  expect_refused(path("link"), "symbolic link");
  ASSERT_EQ(::link(path("real").c_str(), path("second").c_str()), 0);
  expect_refused(path("second"), "more than one name");
  EXPECT_EQ(read_file(path("real")).value(), "keep");
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  expect_refused(path("pipe"), "");
  expect_refused("/dev/null", "not a regular file");
  expect_refused(path("missing/out"), "No such file");
}

// Runs `body` in a child whose stdout is a pipe; gives the child's exit status.
template <class Body>
int with_piped_stdout(Body body, int pipe_fds[2]) {
  EXPECT_EQ(::pipe2(pipe_fds, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGPIPE, SIG_IGN);
    ::alarm(20);
    ::dup2(pipe_fds[1], STDOUT_FILENO);
    ::close(pipe_fds[1]);
    ::_exit(body(pipe_fds[0]) ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  ::close(pipe_fds[0]);
  ::close(pipe_fds[1]);
  return status;
}

TEST(PipedStdout, AReaderThatTakesNothingNeverMakesUsWait) {
  int fds[2];
  const int status = with_piped_stdout(
      [](int) {
        auto sink = Sink::open({});
        const std::string line(1023, 'x');
        for (int i = 0; i < 20'000; ++i) {  // 20 MiB into a pipe that nobody reads
          sink->put(line + "\n");
          if (i % 100 == 0 && sink->pump().value() != SinkState::kOpen) return false;
        }
        return sink->lost() > 10'000 && sink->bytes_written() >= 4096 &&
               sink->drain(milliseconds{100}).value() == SinkState::kOpen;
      },
      fds);
  EXPECT_EQ(status, 0);
}

TEST(PipedStdout, AReaderThatLeftIsNoticedEvenWithNothingToWrite) {
  int fds[2];
  const int status = with_piped_stdout(
      [](int read_end) {
        auto sink = Sink::open({});
        // The parent holds the other read end: take a pipe of our own instead.
        int own[2];
        if (::pipe(own) != 0 || ::dup2(own[1], STDOUT_FILENO) < 0) return false;
        ::close(own[1]);
        ::close(read_end);
        const bool open_before = sink->pump().value() == SinkState::kOpen;
        ::close(own[0]);
        const bool closed_after = sink->pump().value() == SinkState::kClosed;
        return open_before && closed_after && !sink->put("late\n") && sink->lost() == 1;
      },
      fds);
  EXPECT_EQ(status, 0);
}

TEST_F(OutputFile, AFullDiskIsReportedOnceAndThenTheSinkIsClosed) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit room{100, 100};
    ::setrlimit(RLIMIT_FSIZE, &room);
    auto sink = Sink::open(path());
    sink->put(std::string(1000, 'x') + "\n");
    (void)sink->pump();
    const auto failed = sink->pump();
    const bool first = failed && *failed == SinkState::kClosed;
    ::_exit(first ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace nohalt::output
