// What happens on a queue, told by the server as it happens: one connection for a page that is seen, none for one that is not.
import { queuePath } from "./api.js";
import { useEffect, useState } from "./html.js";

const NOTHING = { status: null, workers: null, history: null, priorities: null, problem: null, isMissing: false, isCut: false };
const KINDS = ["status", "workers", "history", "priorities"];

export function useStream(queue) {
  const [told, setTold] = useState(NOTHING);
  useEffect(() => {
    setTold(NOTHING);
    if (!queue) return undefined;
    let source = null;
    const open = () => {
      source = new EventSource(queuePath(queue, "stream"));
      for (const kind of KINDS) {
        source.addEventListener(kind, (event) => {
          const data = JSON.parse(event.data);
          setTold((old) => ({ ...old, [kind]: data, isCut: false }));
        });
      }
      source.addEventListener("problem", (event) => {
        const { error: problem, is_missing: isMissing } = JSON.parse(event.data);
        setTold((old) => ({ ...old, problem, isMissing, isCut: false }));
      });
      source.onopen = () => setTold((old) => ({ ...old, isCut: false }));
      // A browser tries again by itself where the connection was cut, and gives up where it was refused.
      source.onerror = () => {
        setTold((old) => ({ ...old, isCut: true }));
        if (source?.readyState === EventSource.CLOSED) setTimeout(seen, 2000);
      };
    };
    const close = () => {
      source?.close();
      source = null;
    };
    const seen = () => {
      close();
      if (!document.hidden && isWanted) open();
    };
    let isWanted = true;
    seen();
    document.addEventListener("visibilitychange", seen);
    return () => {
      isWanted = false;
      document.removeEventListener("visibilitychange", seen);
      close();
    };
  }, [queue]);
  return told;
}
