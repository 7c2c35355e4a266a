//! A client's reading of a stream, written from the grammar and the rules of WHATWG HTML 9.2.5 and 9.2.6, not from our encoder.

/// What a client dispatches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatched {
    /// The type of the event.
    pub name: String,
    /// Its data.
    pub data: String,
    /// What `lastEventId` of the event is.
    pub last_event_id: String,
}

/// A client. Bytes may come in any portions.
#[derive(Debug, Default)]
pub struct EventParser {
    line: Vec<u8>,
    after_carriage_return: bool,
    data: String,
    name: String,
    id_buffer: String,
    /// What it would send as `Last-Event-ID`.
    pub last_event_id: String,
    /// Milliseconds, when it was told.
    pub retry: Option<u64>,
    /// Comments, such as heartbeats.
    pub comments: usize,
    /// What was dispatched so far.
    pub dispatched: Vec<Dispatched>,
}

impl EventParser {
    /// Takes in what has arrived.
    pub fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let ends_pair = byte == b'\n' && std::mem::take(&mut self.after_carriage_return);
            if ends_pair {
                continue;
            }
            self.after_carriage_return = byte == b'\r';
            if byte == b'\r' || byte == b'\n' {
                let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
                self.take_line(&line);
            } else {
                self.line.push(byte);
            }
        }
    }

    /// A new connection: what had come of an event that is not finished is forgotten.
    pub fn begin_anew(&mut self) {
        self.line.clear();
        self.after_carriage_return = false;
        self.data.clear();
        self.name.clear();
        self.id_buffer.clone_from(&self.last_event_id);
    }

    fn take_line(&mut self, line: &str) {
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => self.comments += 1,
            "event" => value.clone_into(&mut self.name),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => value.clone_into(&mut self.id_buffer),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.retry = value.parse().ok();
            }
            _ => {}
        }
    }

    fn dispatch(&mut self) {
        self.last_event_id.clone_from(&self.id_buffer);
        let (name, mut data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
        if data.is_empty() {
            return;
        }
        data.pop();
        let name = if name.is_empty() { "message".to_owned() } else { name };
        self.dispatched.push(Dispatched { name, data, last_event_id: self.last_event_id.clone() });
    }
}
