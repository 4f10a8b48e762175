//! Exercises of the chapter `start`.

exercises! { any_port read_a_line two_sockets }
