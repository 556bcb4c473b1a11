//! The tool nullctl against the example services: `NULLCTL` is the path of the program to test, by
//! default the form with std. `tests/freestanding/check.sh` runs the same tests with the static form.

mod tool;

mod basics;
mod calls;
mod closed;
mod help;
mod memory;
mod proxies;
mod station_bench;
mod station_completion;
mod station_definitions;
mod station_fuzz;
