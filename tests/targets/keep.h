// How a debuggee uses its variables, so that they live to the probed line as they
// would in a program that goes on with them.
#pragma once

// Their last use. What lies behind them may be read by anybody, as far as the
// compiler knows, and nothing more than that is forced on it.
template <class... T>
[[gnu::noinline]] void use(const T&... values) noexcept {
  (static_cast<void>([](const void* value) {
     __asm__ volatile("" : : "r"(value) : "memory");
   }(static_cast<const void*>(&values))),
   ...);
}
