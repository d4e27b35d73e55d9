use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::*;
use crate::code::Channel;
use crate::provider::Providers;
use crate::sink::Sink;
use crate::template::Rendered;

/// What a mail server says to a recipient, and to a message; it hangs up instead of saying nothing.
#[derive(Debug, Clone, Copy)]
struct Says {
    recipient: &'static str,
    message: &'static str,
}

const TAKEN: &str = "250 taken";
const WELL: Says = Says { recipient: TAKEN, message: TAKEN };

/// A mail server that answers one message, and what it was told.
struct Server {
    mail: Mail,
    told: mpsc::UnboundedReceiver<String>,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn start(says: Says) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let from = "Tollgate <stay@example.com>".parse().unwrap();
        let mail = Mail::new(&MailSettings::new(&url, from).unwrap()).unwrap();
        let (tell, told) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, says, &tell).await;
            }
        });
        Self { mail, told, _tasks: tasks }
    }

    async fn send(&self, destination: &str) -> Result<(), Undelivered> {
        let rendered =
            Rendered { title: "확정".to_owned(), body: "<b>방</b> &amp; 문".to_owned() };
        let letter = Letter {
            notification_id: "01970000-0000-7000-8000-000000000001",
            channel: Channel::Email,
            destination,
            rendered: &rendered,
        };
        self.mail.send(&letter).await
    }
}

async fn serve(stream: TcpStream, says: Says, tell: &mpsc::UnboundedSender<String>) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 ready\r\n").await.unwrap();
    let mut is_data = false;
    while let Ok(Some(line)) = lines.next_line().await {
        tell.send(line.clone()).unwrap();
        let answer = match line.as_str() {
            "." => {
                is_data = false;
                says.message
            }
            _ if is_data => continue,
            "DATA" => {
                is_data = true;
                "354 go on"
            }
            line if line.starts_with("RCPT") => says.recipient,
            line if line.starts_with("QUIT") => return,
            _ => TAKEN,
        };
        if answer.is_empty() {
            return;
        }
        write.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
    }
}

/// NT-04: the mail server is told to whom, and the same id whenever it is told again.
#[tokio::test]
async fn nt_04_a_mail_server_gets_the_message() {
    let mut server = Server::start(WELL).await;
    server.send("guest@example.com").await.unwrap();
    let mut told = Vec::new();
    while told.last().is_none_or(|line| line != ".") {
        told.push(server.told.recv().await.unwrap());
    }
    for line in [
        "MAIL FROM:<stay@example.com>",
        "RCPT TO:<guest@example.com>",
        "To: guest@example.com",
        "Message-ID: <01970000-0000-7000-8000-000000000001@example.com>",
        "Content-Type: text/html; charset=utf-8",
    ] {
        assert!(told.iter().any(|told| told.starts_with(line)), "{line}: {told:#?}");
    }
}

/// 8.5: answers are classified.
#[tokio::test]
async fn what_a_mail_server_says_is_classified() {
    let of = async |recipient, message| {
        Server::start(Says { recipient, message })
            .await
            .send("guest@example.com")
            .await
            .unwrap_err()
    };
    for (recipient, message) in
        [("550 5.1.1 no such mailbox", TAKEN), (TAKEN, "552 5.2.3 too long")]
    {
        let error = of(recipient, message).await;
        assert!(matches!(error, Undelivered::Never(_)), "{error:?}");
    }
    for (recipient, message) in
        [("450 the mailbox is busy", TAKEN), (TAKEN, "452 no space"), ("530 log in first", TAKEN)]
    {
        let error = of(recipient, message).await;
        assert!(matches!(error, Undelivered::Later(_)), "{error:?}");
    }
    let error = of(TAKEN, "").await;
    assert!(matches!(error, Undelivered::Unknown(_)), "{error:?}");
}

#[tokio::test]
async fn what_is_no_address_is_never_sent() {
    let mut server = Server::start(WELL).await;
    let error = server.send("guest at example.com").await.unwrap_err();
    assert!(matches!(error, Undelivered::Never(_)), "{error:?}");
    assert!(server.told.try_recv().is_err());
}

#[test]
fn a_password_is_never_shown() {
    let from: Mailbox = "stay@example.com".parse().unwrap();
    let settings = MailSettings::new("smtps://me:s3cret@mail.example.com", from.clone()).unwrap();
    assert!(!format!("{settings:?}").contains("s3cret"));
    let error = MailSettings::new("http://me:s3cret@mail.example.com", from).unwrap_err();
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
}

/// A mail server that says nothing holds nobody up, and may have taken it.
#[tokio::test]
async fn a_silent_mail_server_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let from = "stay@example.com".parse().unwrap();
    let folder = TempDir::new().unwrap();
    let providers = Providers {
        mail: Some(Mail::new(&MailSettings::new(&url, from).unwrap()).unwrap()),
        texts: None,
        limit: Duration::from_millis(200),
        sink: Sink::open(&folder.path().join("sink.jsonl")).await.unwrap(),
    };
    let rendered = Rendered { title: "확정".to_owned(), body: "본문".to_owned() };
    let letter = Letter {
        notification_id: "01970000-0000-7000-8000-000000000001",
        channel: Channel::Email,
        destination: "guest@example.com",
        rendered: &rendered,
    };
    let error = providers.deliver(&letter).await.unwrap_err();
    assert_eq!(error, Undelivered::Unknown("no answer within 200ms".to_owned()));
}
