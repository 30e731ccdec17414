//! Checks every step runner must pass: start twice, attach late, cancel twice. Used from the plugins' own tests.
