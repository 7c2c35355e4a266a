//! Generates the gRPC client of the notification service. protox reads the proto file, so no protoc is needed.

const INCLUDE: &str = "../contracts/proto";
const NOTIFICATIONS: &str = "trifront/notifications/v1/notifications.proto";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed={INCLUDE}");
    let files = protox::compile([NOTIFICATIONS], [INCLUDE])?;
    tonic_prost_build::configure().build_server(false).compile_fds(files)?;
    Ok(())
}
