use clap::Parser;

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn check_with(
    line: &[&str],
    env: impl Fn(&str) -> Option<String>,
) -> std::result::Result<Config, Refused> {
    let line = ["adda", "serve"].iter().chain(line);
    let Command::Serve(args) = Cli::try_parse_from(line).unwrap().command else { unreachable!() };
    Config::check(&args, env)
}

fn check(line: &[&str]) -> std::result::Result<Config, Refused> {
    check_with(&[&["--jwt-secret", SECRET], line].concat(), |_| None)
}

#[test]
fn defaults_are_those_of_the_contract() {
    let config = check(&[]).unwrap();
    let secs = Duration::from_secs;
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.store.expose(), "sqlite:adda.db");
    assert_eq!(config.bus.expose(), "memory:");
    assert_eq!(config.max_group_members, 10_000);
    assert!(config.search);
    assert_eq!(config.tokens.leeway, secs(60));
    assert!(!config.dev && !config.reflection && config.tls.is_none());
    assert!(config.warnings.is_empty());
    let times = Times {
        heartbeat: secs(30),
        heartbeat_timeout: secs(90),
        subscribe_heartbeat: secs(45),
        subscribe_heartbeat_timeout: secs(150),
        presence_lease: secs(45),
        presence_grace: secs(5),
        resume_window: secs(7 * 24 * 3600),
        edit_window: secs(900),
        notifications: secs(90 * 24 * 3600),
        drain_timeout: secs(20),
    };
    assert_eq!(config.times, times);
}

#[test]
fn attachments_are_beside_a_file_and_nowhere_beside_a_server() {
    let of = |line: &[&str]| check(line).unwrap().attachments;
    assert_eq!(of(&[]).unwrap(), "file:attachments");
    assert_eq!(of(&["--store", "sqlite:/data/adda.db"]).unwrap(), "file:/data/attachments");
    assert_eq!(of(&["--store", "mongodb://m/adda"]), None);
    assert_eq!(of(&["--attachments", "off"]), None);
    assert_eq!(of(&["--attachments", "s3://bucket/a/b"]).unwrap(), "s3://bucket/a/b");
}

#[test]
fn a_flag_goes_before_the_variable_of_others() {
    let env = |name: &str| match name {
        "MONGODB_URI" => Some("mongodb://m/chats".to_owned()),
        "REDIS_URL" => Some("redis://r".to_owned()),
        _ => None,
    };
    let of = |line: &[&str]| {
        let config = check_with(&[&["--dev"], line].concat(), env).unwrap();
        (config.store.expose().to_owned(), config.bus.expose().to_owned())
    };
    assert_eq!(of(&[]), ("mongodb://m/chats".into(), "redis://r".into()));
    assert_eq!(
        of(&["--store", "sqlite:x.db", "--bus", "memory:"]),
        ("sqlite:x.db".into(), "memory:".into())
    );
    let empty = check_with(&["--dev"], |_| Some(String::new())).unwrap();
    assert_eq!(empty.store.expose(), "sqlite:adda.db");
    let wrong = check_with(&["--dev"], |_| Some("mongo://user:hunter2@m".into())).unwrap_err();
    assert!(wrong.flag.contains("MONGODB_URI"), "{wrong}");
    assert!(!wrong.to_string().contains("hunter2"), "{wrong}");
}

#[test]
fn what_does_not_fit_together_is_refused_by_name() {
    for (line, flag) in [
        (&["--heartbeat", "50s"][..], "--heartbeat-timeout"),
        (&["--subscribe-heartbeat-timeout", "89s"], "--subscribe-heartbeat-timeout"),
        (&["--heartbeat", "0s"], "--heartbeat"),
        (&["--presence-lease", "60s"], "--presence-lease"),
        (&["--presence-grace", "46s"], "--presence-grace"),
        (&["--resume-window", "8d"], "--resume-window"),
        (&["--token-leeway", "1h"], "--token-leeway"),
        (&["--drain-timeout", "2h"], "--drain-timeout"),
        (&["--max-group-members", "1"], "--max-group-members"),
        (&["--max-group-members", "10001"], "--max-group-members"),
        (&["--max-connections", "0"], "--max-connections"),
        (&["--max-connections-per-address", "0"], "--max-connections-per-address"),
        (&["--store", "postgres://x"], "--store"),
        (&["--store", "sqlite:"], "--store"),
        (&["--bus", "nats://x"], "--bus"),
        (&["--attachments", "ftp://x"], "--attachments"),
        (&["--attachments", "s3://"], "--attachments"),
        (&["--attachments", "file:"], "--attachments"),
        (&["--max-attachment-bytes", "0"], "--max-attachment-bytes"),
        (&["--max-attachment-bytes", "100000001"], "--max-attachment-bytes"),
        (&["--tls-cert", "c.pem"], "--tls-key"),
        (&["--tls-key", "k.pem"], "--tls-cert"),
        (&["--tls-key", "no", "--tls-cert", "no"], "--tls-cert"),
        (&["--cors-origin", "app.example.com"], "--cors-origin"),
        (&["--cors-origin", "https://a.example/path"], "--cors-origin"),
        (&["--cors-origin", "*"], "--cors-origin"),
        (&["--jwt-issuer", " "], "--jwt-issuer"),
        (&["--jwt-audience", ""], "--jwt-audience"),
        (&["--jwt-public-key", "/nowhere"], "--jwt-public-key"),
        (&["--jwks", "/nowhere"], "--jwks"),
        (&["--dev", "--listen", "0.0.0.0:1"], "--dev"),
    ] {
        let refused = check(line).unwrap_err();
        assert!(refused.flag.starts_with(&format!("{flag} (")), "{line:?}: {refused}");
    }
}

#[test]
fn a_secret_must_be_there_be_long_and_not_be_known() {
    for line in [&[][..], &["--jwt-secret", "short"], &["--jwt-secret", DEV_SECRET]] {
        let refused = check_with(line, |_| None).unwrap_err();
        assert!(refused.flag.starts_with("--jwt-secret (JWT_SECRET)"), "{refused}");
        assert!(
            !refused.to_string().contains("short") && !refused.to_string().contains(DEV_SECRET)
        );
    }
    assert!(check_with(&["--dev", "--jwt-secret", "short"], |_| None).is_ok());
    let dev = check_with(&["--dev"], |_| None).unwrap();
    assert_eq!(dev.tokens.secret, Some(DEV_SECRET.into()));
    assert!(dev.reflection && dev.warnings.len() == 1);
}

#[test]
fn nothing_secret_can_be_printed() {
    let store = "mongodb://u:hunter2@m/d?tlsCertificateKeyFilePassword=hunter2";
    let config = check(&["--store", store, "--attachments", "off"]).unwrap();
    let shown = format!("{config:?} {}", config.store);
    assert!(!shown.contains(SECRET) && !shown.contains("hunter2"), "{shown}");
    assert_eq!(config.store.to_string(), "mongodb://***@m/d");
    assert_eq!(config.warnings.len(), 1, "MongoDB with a memory bus is worth a word");
    let args = Cli::try_parse_from(["adda", "serve", "--jwt-secret", SECRET]).unwrap();
    let Command::Serve(args) = args.command else { unreachable!() };
    assert!(!format!("{:?}", args.tokens).contains(SECRET));
}

#[test]
fn every_flag_has_a_variable_and_a_word() {
    use clap::CommandFactory;
    for command in Cli::command().get_subcommands() {
        for arg in command.get_arguments().filter(|arg| arg.get_id() != "help") {
            // What is asked for by hand.
            let by_hand = ["load", "explain"].contains(&command.get_name());
            assert!(by_hand || arg.get_env().is_some(), "{}", arg.get_id());
            assert!(arg.get_help().is_some(), "{}", arg.get_id());
        }
    }
}

#[test]
fn origins_may_come_in_one_word() {
    let config = check(&["--cors-origin", "https://a.example,http://b.example:81"]).unwrap();
    assert_eq!(config.origins, ["https://a.example", "http://b.example:81"]);
}

#[test]
fn only_this_machine_is_loopback() {
    for origin in ["http://localhost:5173", "http://127.0.0.1", "https://[::1]:8080"] {
        assert!(is_loopback_origin(origin), "{origin}");
    }
    for origin in ["null", "http://localhost.evil.example", "http://evil.example", "file://"] {
        assert!(!is_loopback_origin(origin), "{origin}");
    }
}
