//! The program, called the wrong way: it says which flag, ends with 64, and opens nothing.

use std::process::{Command, Output};

fn adda(line: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_adda"));
    command.env_clear().args(line).envs(env.iter().copied());
    command.output().unwrap()
}

fn refused(line: &[&str], env: &[(&str, &str)], name: &str) {
    let output = adda(line, env);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{line:?} {env:?}: {said}");
    assert!(said.contains(name), "{line:?} {env:?} must name {name}: {said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn wrong_values_are_refused_by_name() {
    let key = "tests/it/keys/test-only-tls.key.pem";
    let public = "tests/it/keys/test-only-ec.pub.pem";
    for (line, name) in [
        (&["--listen", "localhost"][..], "--listen"),
        (&["--store", "postgres://h/d"], "--store"),
        (&["--bus", "amqp://h"], "--bus"),
        (&["--jwt-secret", "short"], "--jwt-secret"),
        (&["--jwt-public-key", "/nowhere"], "--jwt-public-key"),
        (&["--jwt-public-key", key], "--jwt-public-key"),
        (&["--jwks", "/nowhere"], "--jwks"),
        (&["--jwks", public], "--jwks"),
        (&["--jwt-issuer", ""], "--jwt-issuer"),
        (&["--jwt-audience", ""], "--jwt-audience"),
        (&["--cors-origin", "nonsense"], "--cors-origin"),
        (&["--page", "/nowhere"], "--page"),
        (&["--page", "src"], "--page"),
        (&["--tls-cert", public], "--tls-key"),
        (&["--tls-key", key], "--tls-cert"),
        (&["--tls-cert", public, "--tls-key", key], "--tls-cert"),
        (&["--log", "xml"], "--log"),
        (&["--log-level", "loud"], "--log-level"),
        (&["--heartbeat", "30"], "--heartbeat"),
        (&["--heartbeat", "60s"], "--heartbeat-timeout"),
        (&["--heartbeat-timeout", "1s"], "--heartbeat-timeout"),
        (&["--subscribe-heartbeat", "fast"], "--subscribe-heartbeat"),
        (&["--subscribe-heartbeat-timeout", "1s"], "--subscribe-heartbeat-timeout"),
        (&["--presence-lease", "0s"], "--presence-lease"),
        (&["--presence-grace", "1h"], "--presence-grace"),
        (&["--token-leeway", "1d"], "--token-leeway"),
        (&["--resume-window", "1y"], "--resume-window"),
        (&["--drain-timeout", "1d"], "--drain-timeout"),
        (&["--edit-window", "0s"], "--edit-window"),
        (&["--edit-window", "2y"], "--edit-window"),
        (&["--notifications-days", "0"], "--notifications-days"),
        (&["--notifications-days", "3651"], "--notifications-days"),
        (&["--search", "maybe"], "--search"),
        (&["--max-group-members", "100000"], "--max-group-members"),
        (&["--max-connections", "0"], "--max-connections"),
        (&["--max-connections-per-address", "many"], "--max-connections-per-address"),
        (&["--admin-listen", "localhost"], "--admin-listen"),
        (&["--listen", "127.0.0.1:8080", "--admin-listen", "127.0.0.1:8080"], "--admin-listen"),
        (&["--listen", "127.0.0.1:8080", "--admin-listen", "0.0.0.0:8080"], "--admin-listen"),
        (&["--otlp", "localhost:4317"], "--otlp"),
        (&["--otlp", "http://127.0.0.1:4317/v1/traces"], "--otlp"),
        (&["--otlp-sample", "2"], "--otlp-sample"),
        (&["--otlp-sample", "often"], "--otlp-sample"),
        (&["--no-such-flag"], "--no-such-flag"),
    ] {
        let secret = ("JWT_SECRET", "0123456789abcdef0123456789abcdef");
        refused(&[&["serve"], line].concat(), &[secret], name);
    }
    refused(&["serve"], &[], "--jwt-secret");
    refused(&["serve", "--dev", "--listen", "0.0.0.0:0"], &[], "--dev");
    refused(&["serve", "--dev"], &[("ADDA_HEARTBEAT", "x")], "--heartbeat");
    refused(&["serve", "--dev"], &[("MONGODB_URI", "localhost")], "MONGODB_URI");
    refused(&["serve", "--dev"], &[("REDIS_URL", "localhost")], "REDIS_URL");
    refused(&["serve"], &[("ADDA_DEV", "maybe")], "--dev");
    refused(&["token"], &[], "--user");
    refused(&["explain", "c", "m"], &[], "--as");
    refused(&["explain", "c", "m", "--as", "a b"], &[], "--as");
    refused(&["token", "--user", "a b"], &[], "--user");
    refused(&["token", "--user", "a", "--ttl", "0s"], &[], "--ttl");
    refused(&["dance"], &[], "dance");
    refused(&[], &[], "Usage");
}

#[test]
fn secrets_stay_secret() {
    for (line, env) in [
        (&["serve", "--jwt-secret", "hunter2"][..], &[][..]),
        (&["serve"], &[("JWT_SECRET", "hunter2")]),
        (&["serve", "--dev"], &[("MONGODB_URI", "mongo://u:hunter2@h")]),
        (&["serve", "--dev"], &[("ADDA_BUS", "amqp://u:hunter2@h")]),
        (&["serve", "--help"], &[("JWT_SECRET", "hunter2"), ("ADDA_STORE", "x://hunter2")]),
    ] {
        let output = adda(line, env);
        let said = [output.stdout, output.stderr].concat();
        assert!(!String::from_utf8_lossy(&said).contains("hunter2"), "{line:?}");
    }
}

#[test]
fn help_and_version_are_no_error() {
    for line in [&["--help"][..], &["--version"], &["serve", "--help"], &["token", "--help"]] {
        let output = adda(line, &[]);
        assert_eq!(output.status.code(), Some(0), "{line:?}");
        assert!(!output.stdout.is_empty());
    }
    let help = adda(&["serve", "--help"], &[]);
    let help = String::from_utf8(help.stdout).unwrap();
    for name in ["ADDA_STORE", "MONGODB_URI", "REDIS_URL", "JWT_SECRET", "ADDA_RESUME_WINDOW"] {
        assert!(help.contains(name), "{name}");
    }
}

#[test]
fn a_token_is_all_that_token_prints() {
    let output = adda(&["token", "--user", "alice", "--name", "Alice"], &[]);
    assert_eq!(output.status.code(), Some(0));
    let token = String::from_utf8(output.stdout).unwrap();
    assert_eq!(token.trim().split('.').count(), 3);
    assert_eq!(token.lines().count(), 1);
}
