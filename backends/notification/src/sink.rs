//! Stands in for the systems that deliver (NT-04): a file with one line for each message, which drops
//! what it has already.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;
use tokio::fs::{File, OpenOptions, create_dir_all, read};
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;

use crate::provider::Letter;

/// The file; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Sink {
    path: PathBuf,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    file: File,
    taken: HashSet<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    notification_id: String,
}

impl Sink {
    /// Opens the file and reads what it has. A line that was half written goes.
    pub(crate) async fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            create_dir_all(folder).await?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path).await?;
        let written = read(path).await?;
        let whole = written.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let length = u64::try_from(whole).map_err(io::Error::other)?;
        file.set_len(length).await?;
        let lines = written.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n');
        let taken = lines.filter_map(|line| serde_json::from_slice::<Line>(line).ok());
        let taken = taken.map(|line| line.notification_id).collect();
        let state = Arc::new(Mutex::new(State { file, taken }));
        Ok(Self { path: path.to_owned(), state })
    }

    /// Takes a message, once; whether it was new. It is on the disk when this is over.
    pub(crate) async fn take(&self, letter: &Letter<'_>) -> io::Result<bool> {
        let mut state = self.state.lock().await;
        if state.taken.contains(letter.notification_id) {
            return Ok(false);
        }
        let line = json!({
            "notificationId": letter.notification_id,
            "channel": service::code::Code::code(letter.channel),
            "destination": letter.destination,
            "title": letter.rendered.title,
            "body": letter.rendered.body,
        });
        let length = state.file.metadata().await?.len();
        let written = async {
            state.file.write_all(format!("{line}\n").as_bytes()).await?;
            state.file.sync_data().await
        };
        if let Err(error) = written.await {
            // Half a line would hide the next one.
            state.file.set_len(length).await?;
            return Err(error);
        }
        state.taken.insert(letter.notification_id.to_owned());
        Ok(true)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::code::Channel;
    use crate::template::Rendered;

    /// 8.5: a repeat is dropped, also after a restart, and half a line goes.
    #[tokio::test]
    async fn a_message_is_taken_once() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("new").join("sink.jsonl");
        let rendered = Rendered { title: "제목".to_owned(), body: "\"본문\"\n".to_owned() };
        let letter = |notification_id| Letter {
            notification_id,
            channel: Channel::Sms,
            destination: "01000000000",
            rendered: &rendered,
        };
        let sink = Sink::open(&path).await.unwrap();
        assert!(sink.take(&letter("a")).await.unwrap());
        assert!(!sink.take(&letter("a")).await.unwrap());
        drop(sink);
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str("{\"notificationId\":\"b\"");
        fs::write(&path, text).unwrap();
        let sink = Sink::open(&path).await.unwrap();
        assert!(!sink.take(&letter("a")).await.unwrap());
        assert!(sink.take(&letter("b")).await.unwrap());
        assert_eq!(fs::read_to_string(sink.path()).unwrap().lines().count(), 2);
    }
}
