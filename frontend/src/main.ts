// The script of every page. Each page works without it: it only makes what is there quicker to use.
import "@tabler/core/dist/css/tabler.min.css";
import "./styles/pages.css";
import { startBulk } from "./bulk";
import { startClocks } from "./clocks";
import { startForms } from "./forms";
import { startKeys } from "./keys";
import { startMaps } from "./maps";
import { startPhotos } from "./photos";
import { startLive } from "./live";

document.documentElement.classList.add("js");
startLive();
startForms();
startKeys();
startBulk();
startClocks();
startPhotos();
startMaps();
