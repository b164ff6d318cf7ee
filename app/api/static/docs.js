"use strict";

// The buttons' words in Chinese before their English; Swagger UI itself speaks English only.
const WORDS = new Map(Object.entries({
  "Try it out": "试一试 Try it out", "Cancel": "取消 Cancel", "Execute": "执行 Execute", "Clear": "清除 Clear",
  "Reset": "重置 Reset", "Authorize": "授权 Authorize", "Close": "关闭 Close", "Logout": "退出 Logout",
  "Parameters": "参数 Parameters", "Responses": "响应 Responses", "Request body": "请求体 Request body",
  "Server response": "服务器响应 Server response", "Response body": "响应体 Response body",
  "Response headers": "响应头 Response headers", "Request URL": "请求地址 Request URL", "Code": "状态 Code",
  "Details": "详情 Details", "Description": "说明 Description", "Links": "链接 Links", "Name": "名称 Name",
  "No parameters": "无参数 No parameters", "Download": "下载 Download", "Example Value": "示例 Example",
  "Schema": "结构 Schema", "Schemas": "数据结构 Schemas", "Examples": "示例 Examples", "Servers": "服务器 Servers",
  "Available authorizations": "授权方式 Authorizations", "required": "必填 required", "No links": "无 No links",
  "Media type": "类型 Media type", "Loading": "加载中 Loading",
}));

function speak(node) {
  if (node.nodeType === Node.TEXT_NODE) {
    const words = WORDS.get(node.nodeValue.trim());
    // What a person edits and what the service answered stays as it is.
    if (words && !node.parentElement?.closest("textarea, pre, code, option, .highlight-code")) node.nodeValue = words;
    return;
  }
  for (const child of node.childNodes) speak(child);
}

const root = document.getElementById("swagger-ui");
new MutationObserver((changes) => {
  for (const change of changes) {
    if (change.type === "characterData") speak(change.target);
    for (const node of change.addedNodes) speak(node);
  }
}).observe(root, { childList: true, characterData: true, subtree: true });

function freshKey() {
  // randomUUID exists in secure contexts only; a bank's intranet may be plain HTTP.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return "docs-" + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

window.ui = SwaggerUIBundle({
  url: "openapi.json",
  domNode: root,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  showMutatedRequest: true,
  validatorUrl: null,
  requestInterceptor: (request) => {
    if (request.headers && request.headers["Idempotency-Key"] !== undefined) request.headers["Idempotency-Key"] = freshKey();
    return request;
  },
});
