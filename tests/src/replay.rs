//! A server that gives recorded Azure answers over real HTTPS, so that the real client reads them from a real socket.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::https::Https;

const RECORDED_HOST: &str = "https://management.azure.com";

/// One recorded answer.
#[derive(Debug, Clone)]
pub struct Recording {
    /// File it came from.
    pub file: PathBuf,
    /// Method.
    pub method: String,
    /// Path and query as recorded.
    pub path: String,
    /// Status.
    pub status: u16,
    /// Headers.
    pub headers: BTreeMap<String, String>,
    /// Body.
    pub body: Value,
}

/// The folder with recorded answers beside the checkout; `None` when it is not there, which is said aloud.
pub fn recordings() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/recordings");
    if folder.is_dir() {
        Some(folder)
    } else {
        eprintln!("SKIPPED: no recorded answers at {}", folder.display());
        None
    }
}

/// The recordings of one folder, in the order of their file names.
///
/// # Panics
/// When the folder or a file cannot be read.
pub fn load(folder: &Path) -> Vec<Recording> {
    let mut files = std::fs::read_dir(folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect::<Vec<_>>();
    files.sort();
    files.iter().filter_map(|file| load_file(file)).collect()
}

/// One recording; `None` for a file of another shape.
///
/// # Panics
/// When the file cannot be read.
pub fn load_file(file: &Path) -> Option<Recording> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let json: Value =
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let headers = json
        .get("headers")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    Some(Recording {
        file: file.to_owned(),
        method: json.pointer("/request/method")?.as_str()?.to_owned(),
        path: json.pointer("/request/path")?.as_str()?.to_owned(),
        status: u16::try_from(json.get("status")?.as_u64()?).ok()?,
        headers: headers
            .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())))
            .collect(),
        body: json.get("body")?.clone(),
    })
}

/// What the server gives for one path.
#[derive(Debug, Clone)]
struct Given {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// A running replay server. Paths are matched without case; a path that was given several answers gives them in turn
/// and stays at the last; anything else is ARM's 404.
pub struct Replay {
    https: Https,
    answers: Arc<Mutex<BTreeMap<String, Vec<Given>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Replay {
    /// Starts the server on any port.
    ///
    /// # Panics
    /// When no loopback socket or certificate can be made.
    pub async fn start() -> Self {
        let answers: Arc<Mutex<BTreeMap<String, Vec<Given>>>> = Arc::default();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (given, heard) = (Arc::clone(&answers), Arc::clone(&asked));
        Self {
            https: Https::start(move |request| answer(request, &given, &heard)).await,
            answers,
            asked,
        }
    }

    /// The endpoint, without a slash at the end.
    pub fn endpoint(&self) -> &str {
        self.https.endpoint()
    }

    /// The certificate to trust, PEM.
    pub fn certificate(&self) -> &str {
        self.https.certificate()
    }

    /// Gives a recorded answer on its own path.
    pub fn give(&self, recording: &Recording) {
        self.give_at(&recording.path, recording);
    }

    /// Gives a recorded answer on another path. Links to the recorded host are made to lead here.
    pub fn give_at(&self, path: &str, recording: &Recording) {
        let here = |text: &str| text.replace(RECORDED_HOST, self.endpoint());
        let body = match &recording.body {
            Value::String(text) => text.clone(),
            other => here(&other.to_string()),
        };
        let keep = |name: &&String| {
            !["content-length", "content-encoding", "transfer-encoding"]
                .contains(&name.to_ascii_lowercase().as_str())
        };
        let headers = recording
            .headers
            .iter()
            .filter(|(name, _)| keep(name))
            .map(|(n, v)| (n.clone(), here(v)))
            .collect();
        let given = Given {
            status: recording.status,
            headers,
            body: body.into_bytes(),
        };
        self.answers
            .lock()
            .expect("answers")
            .entry(path_key(path))
            .or_default()
            .push(given);
    }

    /// The paths and queries that were asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("asked").clone()
    }
}

/// The path in lower case, with the continuation token but without the rest of the query.
fn path_key(path_and_query: &str) -> String {
    let (path, query) = path_and_query
        .split_once('?')
        .unwrap_or((path_and_query, ""));
    let token = query.split('&').find(|pair| {
        let name = pair
            .split('=')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        name == "skiptoken" || name == "$skiptoken" || name == "%24skiptoken"
    });
    let token = token
        .and_then(|pair| pair.split_once('='))
        .map(|(_, value)| value)
        .unwrap_or_default();
    format!(
        "{}#{token}",
        path.trim_end_matches('/').to_ascii_lowercase()
    )
}

fn answer(
    request: &Request<Bytes>,
    answers: &Mutex<BTreeMap<String, Vec<Given>>>,
    asked: &Mutex<Vec<String>>,
) -> Response<Body> {
    let uri = request
        .uri()
        .path_and_query()
        .map_or_else(String::new, ToString::to_string);
    asked.lock().expect("asked").push(uri.clone());
    let mut answers = answers.lock().expect("answers");
    let given = answers.get_mut(&path_key(&uri)).map(|list| {
        if list.len() > 1 {
            list.remove(0)
        } else {
            list[0].clone()
        }
    });
    let given = given.unwrap_or_else(|| Given {
        status: 404,
        headers: vec![("content-type".into(), "application/json".into())],
        body:
            json!({"error": {"code": "ResourceNotFound", "message": "The Resource was not found."}})
                .to_string()
                .into_bytes(),
    });
    let mut response = Response::new(Body::from(given.body));
    *response.status_mut() = StatusCode::from_u16(given.status).expect("a status");
    for (name, value) in given.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
