//! `report --watch`: the page follows what is saved, says what is wrong with it, and ends with the command.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use super::*;

struct Watching {
    child: Child,
    address: String,
}

impl Watching {
    fn begin(project: &Project) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_offprint"))
            .args(["report", "--watch"])
            .current_dir(project.root().join("templates"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
        Watching { child, address }
    }

    fn page(&self) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET / HTTP/1.1\r\nHost: {}\r\n\r\n", self.address).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// Waits until the page holds these words; a machine may be busy.
    fn until(&self, words: &str) -> String {
        for _ in 0..600 {
            let page = self.page();
            if page.contains(words) {
                return page;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("`{words}` never came: {}", self.page());
    }

    /// Ctrl-C; the exit code.
    fn end(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

#[test]
fn the_page_follows_what_is_saved_and_the_folder_has_it_in_the_end() {
    let project = Project::new(&[]);
    good(project.offprint(&["paper"]));
    let watching = Watching::begin(&project);
    watching.until("Discussion</h2>");
    let section = "templates/sections/09-discussion.md";
    project.change(section, "## Discussion\n", "## Discussion\n\nThe first sentence.\n");
    watching.until("The first sentence.");
    // A fault stands above the page as it was.
    project.change(section, "The first sentence.", "The second. {{ n(id=\"latency.<mean>\") }}");
    let page = watching.until("there is no claim `latency.&lt;mean&gt;`");
    assert!(page.contains("The first sentence.") && !page.contains("The second."));
    project.change(section, " {{ n(id=\"latency.<mean>\") }}", "");
    let page = watching.until("The second.");
    assert!(!page.contains("there is no claim"));
    assert!(TcpStream::connect(&watching.address).is_ok());
    let address = watching.address.clone();
    assert_eq!(watching.end(), Some(0));
    assert!(TcpStream::connect(&address).is_err(), "it ends with its command");
    assert!(project.read("paper/paper.md").contains("The second."), "what was made last is written");
    good(project.offprint(&["report", "--check"]));
}

#[test]
fn without_templates_there_is_nothing_to_watch() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("study.yaml"), include_str!("../../config/fake.yaml")).unwrap();
    good(offprint(folder.path(), &["paper", "study.yaml"]));
    let told = offprint(folder.path(), &["report", "--watch"]);
    assert_eq!(told.status.code(), Some(2));
    assert!(said(&told).contains("there is no templates/ to watch"), "{}", said(&told));
}
