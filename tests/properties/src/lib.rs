//! Tests of nullink with random inputs: see `tests`.

#![no_std]
