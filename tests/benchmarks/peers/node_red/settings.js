// No editor, no admin API, no log line for a webhook; `node-red --settings` reads it.
module.exports = {
  uiHost: "127.0.0.1",
  uiPort: Number(process.env.PORT),
  httpAdminRoot: false,
  flowFile: process.env.FLOW_FILE,
  credentialSecret: false,
  logging: { console: { level: "error", metrics: false, audit: false } },
};
