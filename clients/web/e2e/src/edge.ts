/** TLS in front of everything: a certificate of a test authority, and nginx on one port for all names. */
import { execFileSync } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { freePort, Running } from "./processes.js";

/** Names that are answered, and the local address of what stands behind each. */
export type Sites = Record<string, string>;

// Debian has nginx where not everybody looks.
process.env["PATH"] = `${process.env["PATH"] ?? ""}:/usr/sbin`;

export interface Edge {
  port: number;
  /** What Chromium is told to trust: the hash of the key in the certificate. */
  trustedKey: string;
  process: Running;
  /** Starts it again where it was, after its process was stopped. */
  start(): Promise<Running>;
}

/** Starts nginx with its files in `folder`. */
export async function startEdge(folder: string, sites: Sites): Promise<Edge> {
  const trustedKey = makeCertificate(folder, Object.keys(sites));
  const port = await freePort();
  const config = join(folder, "nginx.conf");
  writeFileSync(config, configuration(folder, port, sites));
  mkdirSync(join(folder, "temp"), { recursive: true });
  execFileSync("nginx", ["-p", folder, "-c", config, "-t", "-q"], { stdio: ["ignore", "inherit", "inherit"] });
  const start = () => Running.start("nginx", ["-p", folder, "-c", config], {}, (line) => line.includes("start worker process "));
  return { port, trustedKey, process: await start(), start };
}

function makeCertificate(folder: string, names: string[]): string {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-sha256"];
  openssl("req", "-x509", ...key, "-days", "2", "-subj", "/CN=Test authority", "-addext", "basicConstraints=critical,CA:TRUE", "-keyout", "ca.key", "-out", "ca.pem");
  openssl("req", "-new", ...key, "-subj", "/CN=Test", "-keyout", "edge.key", "-out", "edge.csr");
  const extensions = `subjectAltName=${names.map((name) => `DNS:${name}`).join(",")}\nextendedKeyUsage=serverAuth\n`;
  writeFileSync(join(folder, "extensions"), extensions);
  openssl("x509", "-req", "-in", "edge.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "extensions", "-out", "edge.pem");
  const certificate = new X509Certificate(readFileSync(join(folder, "edge.pem")));
  return createHash("sha256").update(certificate.publicKey.export({ type: "spki", format: "der" })).digest("base64");
}

function configuration(folder: string, port: number, sites: Sites): string {
  const server = ([name, address]: [string, string]) => `
  server {
    listen 127.0.0.1:${port} ssl;
    server_name ${name};
    location / {
      proxy_pass ${address};
      # Streams are passed on as they come, and may be silent between two heartbeats.
      proxy_buffering off;
      proxy_read_timeout 1h;
    }
  }`;
  return `
daemon off;
${process.getuid?.() === 0 ? "user root;" : ""}
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr notice;
events { worker_connections 256; }
http {
  access_log off;
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder}/temp/${kind};`).join("\n  ")}
  ssl_certificate ${folder}/edge.pem;
  ssl_certificate_key ${folder}/edge.key;
  map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
  proxy_http_version 1.1;
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection $connection_upgrade;
  ${Object.entries(sites).map(server).join("\n")}
}
`;
}
