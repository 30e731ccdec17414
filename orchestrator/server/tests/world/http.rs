//! Requests to the real router without a socket.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use futures_util::StreamExt;
use serde_json::Value;
use tower::ServiceExt;

/// The answer's parts.
pub struct Answer {
    pub status: StatusCode,
    pub headers: axum::http::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and error code of a refused call.
    pub fn refusal(&self) -> (u16, String) {
        let body = self.json();
        let error = &body["error"];
        assert!(!error["message"].as_str().unwrap().is_empty() && !error["help"].as_str().unwrap().is_empty());
        (self.status.as_u16(), error["code"].as_str().unwrap().to_owned())
    }
}

pub async fn send(app: &Router, request: Request<Body>) -> Answer {
    let response = app.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 64 << 20).await.unwrap().to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

fn request(method: &str, url: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(url).header(header::HOST, "127.0.0.1:8080")
}

pub async fn get(app: &Router, url: &str) -> Answer {
    send(app, request("GET", url).body(Body::empty()).unwrap()).await
}

pub async fn call(app: &Router, method: &str, url: &str, body: Value) -> Answer {
    let request = request(method, url).header(header::CONTENT_TYPE, "application/json");
    send(app, request.body(Body::from(body.to_string())).unwrap()).await
}

/// A form as a browser sends it from our own page.
pub async fn form(app: &Router, url: &str, fields: &[(&str, &str)]) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = request("POST", url)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ORIGIN, "http://127.0.0.1:8080")
        .header("sec-fetch-site", "same-origin");
    send(app, request.body(Body::from(body)).unwrap()).await
}

/// The first bytes of a stream, until `enough` says so.
pub async fn stream(app: &Router, url: &str, last_id: Option<&str>, enough: impl Fn(&str) -> bool) -> String {
    let mut request = request("GET", url).header(header::ACCEPT, "text/event-stream");
    if let Some(id) = last_id {
        request = request.header("last-event-id", id);
    }
    let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let mut stream = response.into_body().into_data_stream();
    let mut text = String::new();
    let read = async {
        while let Some(bytes) = stream.next().await {
            text.push_str(std::str::from_utf8(&bytes.unwrap()).unwrap());
            if enough(&text) {
                break;
            }
        }
    };
    let ended = tokio::time::timeout(std::time::Duration::from_secs(10), read).await;
    assert!(ended.is_ok(), "not enough after ten seconds: {text}");
    text
}
