//! Asks a program of the system something. Leaves its standard output, or a reason for want of one.

use std::process::{Command, Stdio};

/// A way to ask a program: [`ask`], or a test's answers.
pub(super) type Ask<'a> = &'a dyn Fn(&str, &[&str]) -> Result<String, String>;

/// Standard output of `program`. `sysctl` fails as a whole when one name of many is unknown, and still prints the
/// others: so output counts, and the exit status only where there is none.
///
/// # Errors
/// The reason for want of an answer, one line: no such program, or what it said when it failed.
pub fn ask(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{program} cannot be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if text.is_empty() && !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{program} failed: {}", said.lines().next().unwrap_or("it said nothing").trim()));
    }
    Ok(text)
}
