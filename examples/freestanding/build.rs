//! Tells the linker to build a static program without libc. These are not `rustflags` in
//! `.cargo/config.toml`, because without `--target` they would also apply to this program.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for argument in [
        // `_start` is in src/start.rs.
        "-nostartfiles",
        "-nostdlib",
        // At a fixed address, so that nothing must be relocated at the start.
        "-static",
        "-no-pie",
        // Tables that only unwinding and debuggers read.
        "-Wl,--no-eh-frame-hdr",
        "-Wl,--build-id=none",
        // Memory that is read-only after relocation, of which there is none.
        "-Wl,-z,norelro",
    ] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}
