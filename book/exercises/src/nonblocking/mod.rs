//! Exercises of the chapter `nonblocking`.

exercises! { first_to_speak numbers_again outgoing relay to_all_others which_are_ready }
