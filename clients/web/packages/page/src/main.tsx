import { createRoot } from "react-dom/client";

import { App } from "./app.js";
import { readConfig } from "./config.js";
import { preferred, setLanguage } from "./i18n/index.js";
import { applyTheme } from "./preferences.js";
import "./styles/base.css";
import "./styles/inbox.css";
import "./styles/conversation.css";
import "./styles/controls.css";

setLanguage(preferred());
applyTheme();

const root = createRoot(document.getElementById("root")!);
void readConfig().then((config) => root.render(<App server={config.server} />));
