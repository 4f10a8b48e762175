use std::collections::VecDeque;

/// What a client is still owed, message by message.
#[derive(Default)]
pub struct Outgoing {
    messages: VecDeque<Vec<u8>>,
}

impl Outgoing {
    pub fn push(&mut self, message: &[u8]) {
        self.messages.push_back(message.to_vec());
    }

    /// What is to be sent next.
    pub fn head(&self) -> Option<&[u8]> {
        self.messages.front().map(Vec::as_slice)
    }

    /// The kernel has taken so many bytes of the head.
    pub fn sent(&mut self, _bytes: usize) {
        self.messages.pop_front(); // as the notes do
    }
}
