//! Generates the gRPC client of the notification service (protox reads the proto file, so no protoc is needed) and the list
//! of the application's files that are built in, and refuses a handler without a route: a screen that nobody can reach, or
//! that somebody would reach by another way than the table of policies.

#![expect(clippy::disallowed_methods, reason = "a build script is told everything by its environment")]

use std::{
    env,
    error::Error,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

const INCLUDE: &str = "../contracts/proto";
const NOTIFICATIONS: &str = "trifront/notifications/v1/notifications.proto";

/// What its messages are encoded and decoded by.
const CODEC: &str = "crate::services::notifications::codec::SmallMessages";

/// The folder with the built application; without it nothing is built in.
const SPA_FOLDER: &str = "BFF_WEB_SPA_FOLDER";

/// Where the routes are, and where the screens.
const ROUTES: &str = "src/views.rs";
const SCREENS: &str = "src/views";

/// The attributes that make a function a handler.
const METHODS: [&str; 7] = ["get", "head", "post", "put", "patch", "delete", "options"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={INCLUDE}");
    let files = protox::compile([NOTIFICATIONS], [INCLUDE])?;
    tonic_prost_build::configure().build_server(false).codec_path(CODEC).compile_fds(files)?;

    println!("cargo:rerun-if-env-changed={SPA_FOLDER}");
    let mut entries = String::from("&[");
    if let Some(folder) = env::var_os(SPA_FOLDER).filter(|folder| !folder.is_empty()) {
        let folder = PathBuf::from(folder).canonicalize()?;
        println!("cargo:rerun-if-changed={}", folder.display());
        list(&folder, "", &mut entries)?;
    }
    entries.push(']');
    fs::write(Path::new(&env::var("OUT_DIR")?).join("spa_files.rs"), entries)?;

    println!("cargo:rerun-if-changed={ROUTES}");
    println!("cargo:rerun-if-changed={SCREENS}");
    let routes = fs::read_to_string(ROUTES).unwrap_or_default();
    for (file, handler) in handlers(Path::new(SCREENS))? {
        let names = |line: &str| !line.trim_start().starts_with("//") && line.contains(&format!("::{handler},"));
        let is_routed = routes.lines().any(|line| line.contains(".route(") && names(line));
        if !is_routed {
            let file = file.display();
            println!("cargo::error={file}: `{handler}` has no line in {ROUTES}: add `.route(…::{handler}, <policy>)`");
        }
    }
    Ok(())
}

/// Every handler in the files of a folder, by its file: the functions under an attribute such as `#[get("/dashboard")]`.
fn handlers(folder: &Path) -> Result<Vec<(PathBuf, String)>, Box<dyn Error>> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return Ok(found) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(handlers(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path)?;
            let mut is_handler = false;
            for line in text.lines() {
                is_handler |= METHODS.iter().any(|method| line.starts_with(&format!("#[{method}(\"")));
                let Some(name) = line.strip_prefix("pub async fn ").and_then(|rest| rest.split('(').next()) else {
                    continue;
                };
                if std::mem::take(&mut is_handler) {
                    found.push((path.clone(), name.to_owned()));
                }
            }
        }
    }
    Ok(found)
}

/// Writes `(name, content)` for every file below the folder whose name does not begin with a dot.
fn list(folder: &Path, prefix: &str, entries: &mut String) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|name| format!("{} is not UTF-8", name.display()))?;
        if name.starts_with('.') && !(prefix.is_empty() && name == ".well-known") {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            list(&entry.path(), &format!("{prefix}{name}/"), entries)?;
        } else if kind.is_file() {
            let path = entry.path();
            write!(entries, "({:?}, include_bytes!({:?}) as &[u8]),", format!("{prefix}{name}"), path)?;
        }
    }
    Ok(())
}
