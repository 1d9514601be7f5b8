# What the project's scripts need from apt, by purpose. Sourced, not run.
#
# need_packages GROUP...   installs what is missing of the groups; asks apt
#                          nothing at all when everything is there.
# Works as root, or through sudo.

packages_of() {
  case "$1" in
    build)  # nohalt itself and the example services
      echo "cmake ninja-build g++ make pkg-config libdw-dev libelf-dev libiberty-dev
            libcapstone-dev libasmjit-dev libcli11-dev libre2-dev libyaml-cpp-dev
            nlohmann-json3-dev libfmt-dev libsodium-dev" ;;
    source)  # fetching and building Debian source packages
      echo "dpkg-dev make patch ca-certificates" ;;
    tests)
      echo "libgtest-dev libbenchmark-dev ccache python3 gdb binutils dwz clang-19 rustc rust-gdb
            libc++-19-dev libc++abi-19-dev lldb-19 procps util-linux strace tcl" ;;
    bench)  # the peers that nohalt is measured beside
      echo "lldb-19 bpftrace lttng-tools liblttng-ust-dev" ;;
    *)
      echo "packages.sh: no group named '$1'" >&2
      return 1 ;;
  esac
}

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "packages.sh: '$*' needs root: run this as root once, or install sudo" >&2
    return 1
  fi
}

need_packages() {
  local group package missing=()
  for group in "$@"; do
    for package in $(packages_of "$group"); do
      is_installed "$package" || missing+=("$package")
    done
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  echo "installing: ${missing[*]}"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
    as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
