// The script of every page. Each page works without it: it only makes what is there quicker to use.
import "@tabler/core/dist/css/tabler.min.css";
import "./styles/tokens.css";
import "./styles/pages.css";
import "./styles/live.css";
import { startBulk } from "./bulk";
import { startClocks } from "./clocks";
import { startForms } from "./forms";
import { startHelp } from "./help";
import { startKeys } from "./keys";
import { startMaps } from "./maps";
import { startPhotos } from "./photos";
import { startLive } from "./live";
import { startPresence } from "./presence";
import { startStream } from "./stream";
import { startTerms } from "./terms";

document.documentElement.classList.add("js");
startLive();
startForms();
startKeys();
startBulk();
startClocks();
startPhotos();
startMaps();
startPresence();
startStream();
startTerms();
startHelp();
