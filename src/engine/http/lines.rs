//! Bytes -> lines -> events, each with the time of the read that completed it. Bounded: a line and a body have an end.

use std::io::Read;

/// Of a line; no honest event is longer.
const MOST_LINE: usize = 1 << 20;
/// Of a body.
const MOST_BODY: u64 = 64 << 20;

/// U+FEFF.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// Why reading ended early.
#[derive(Debug)]
pub(super) enum Fault {
    Read(std::io::Error),
    /// A line or a body that is too long, or is no text.
    Unfit(String),
    /// What a line said.
    Told(String),
}

/// An event of `text/event-stream`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) data: String,
}

/// Every line of a body, without its end: LF, CRLF or CR. The last needs none.
pub(super) fn each(
    mut reader: impl Read,
    now: &dyn Fn() -> u64,
    take: &mut dyn FnMut(&str, u64) -> Result<(), String>,
) -> Result<(), Fault> {
    let (mut line, mut buffer, mut total) = (Vec::new(), [0; 16 << 10], 0);
    let (mut after_cr, mut first) = (false, true);
    let mut tell = |line: &mut Vec<u8>, at: u64| {
        // A mark of the byte order may stand before everything, and says nothing.
        let bytes = &line[..];
        let text = if first { bytes.strip_prefix(MARK).unwrap_or(bytes) } else { bytes };
        first = false;
        let text = std::str::from_utf8(text).map_err(|_| Fault::Unfit("bytes that are no UTF-8".to_owned()))?;
        let told = take(text, at).map_err(Fault::Told);
        line.clear();
        told
    };
    loop {
        let n = match reader.read(&mut buffer) {
            Ok(n) => n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Fault::Read(error)),
        };
        // Before anything is done with the bytes: events of one read share its time.
        let at = now();
        if n == 0 {
            return if line.is_empty() { Ok(()) } else { tell(&mut line, at) };
        }
        total += n as u64;
        if total > MOST_BODY {
            return Err(Fault::Unfit(format!("more than {MOST_BODY} bytes")));
        }
        for byte in &buffer[..n] {
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => tell(&mut line, at)?,
                _ if line.len() == MOST_LINE => {
                    return Err(Fault::Unfit(format!("a line of more than {MOST_LINE} bytes")));
                }
                _ => line.push(*byte),
            }
            after_cr = *byte == b'\r';
        }
    }
}

/// Every event of a stream. Comments are no events; a last one without its empty line is one all the same.
pub(super) fn events(
    reader: impl Read,
    now: &dyn Fn() -> u64,
    take: &mut dyn FnMut(&Event, u64) -> Result<(), String>,
) -> Result<(), Fault> {
    let mut pending: Option<Event> = None;
    let mut size = 0;
    let mut last = 0;
    each(reader, now, &mut |line, at| {
        last = at;
        if line.is_empty() {
            size = 0;
            return pending.take().filter(|event| !event.data.is_empty()).map_or(Ok(()), |event| take(&event, at));
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                size += value.len();
                if size > MOST_LINE {
                    return Err(format!("stream: an event of more than {MOST_LINE} bytes"));
                }
                let event = pending.get_or_insert_default();
                if !event.data.is_empty() {
                    event.data.push('\n');
                }
                event.data.push_str(value);
            }
            "event" => value.clone_into(&mut pending.get_or_insert_default().name),
            _ => {}
        }
        Ok(())
    })?;
    match pending.filter(|event| !event.data.is_empty()) {
        Some(event) => take(&event, last).map_err(Fault::Told),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A body that comes in such pieces, each read a moment later.
    struct Pieces<'a>(Vec<&'a [u8]>, &'a Cell<u64>);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.1.set(self.1.get() + 1);
            if self.0.is_empty() {
                return Ok(0);
            }
            let piece = self.0.remove(0);
            buffer[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        }
    }

    fn of(pieces: &[&str]) -> Vec<(String, String, u64)> {
        let clock = Cell::new(0);
        let mut found = Vec::new();
        let pieces = Pieces(pieces.iter().map(|piece| piece.as_bytes()).collect(), &clock);
        let mut take = |event: &Event, at: u64| {
            found.push((event.name.clone(), event.data.clone(), at));
            Ok(())
        };
        events(pieces, &|| clock.get(), &mut take).unwrap();
        found
    }

    fn data(text: &str, at: u64) -> (String, String, u64) {
        (String::new(), text.to_owned(), at)
    }

    #[test]
    fn events_are_told_with_the_read_that_completed_them() {
        assert_eq!(of(&["data: a\n\ndata: b\n\n"]), [data("a", 1), data("b", 1)]);
        assert_eq!(of(&["data: a\n", "\nda", "ta: b\n\n"]), [data("a", 2), data("b", 3)]);
        assert_eq!(of(&["data: a\r\n\r\ndata: b\r\r"]), [data("a", 1), data("b", 1)]);
        assert_eq!(of(&["data: a\r", "\n\r\n"]), [data("a", 2)]);
        assert_eq!(of(&[": keepalive 9/10\n\n", "data:x\ndata: y\n\n"]), [data("x\ny", 2)]);
        assert_eq!(of(&["event: error\ndata: {}\n\n"]), [("error".to_owned(), "{}".to_owned(), 1)]);
        assert_eq!(of(&["data: a\n\ndata: [DONE]"]), [data("a", 1), data("[DONE]", 2)]);
        assert_eq!(of(&["id: 1\nretry: 2\n\n"]), []);
        assert_eq!(of(&["\u{feff}data: a\n\n\u{feff}data: b\n\n"]), [data("a", 1)], "a mark is one at the beginning");
    }

    #[test]
    fn letters_of_several_bytes_may_be_cut_anywhere() {
        let clock = Cell::new(0);
        let text = "data: ü€😀\n\n".as_bytes();
        let pieces = Pieces(text.chunks(1).collect(), &clock);
        let mut found = String::new();
        events(pieces, &|| 0, &mut |event, _| {
            found.push_str(&event.data);
            Ok(())
        })
        .unwrap();
        assert_eq!(found, "ü€😀");
    }

    #[test]
    fn bytes_that_are_no_text_are_no_line() {
        let clock = Cell::new(0);
        let pieces = Pieces(vec![b"data: \xf0\x9f\n\n"], &clock);
        let read = each(pieces, &|| 0, &mut |_, _| Ok(()));
        assert!(matches!(read, Err(Fault::Unfit(what)) if what.contains("UTF-8")));
    }

    #[test]
    fn a_line_and_a_body_have_an_end() {
        let endless = std::io::repeat(b'x');
        assert!(matches!(each(endless, &|| 0, &mut |_, _| Ok(())), Err(Fault::Unfit(what)) if what.contains("a line")));
        let lines = std::io::repeat(b'\n');
        assert!(
            matches!(each(lines, &|| 0, &mut |_, _| Ok(())), Err(Fault::Unfit(what)) if what.contains("more than"))
        );
    }
}
