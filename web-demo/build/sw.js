// The service worker: keeps the files of one build and answers with them; everything else goes to the network.
const CACHE = 'mirrorscope-' + 'VERSION';
const FILES = ['FILES'];

self.addEventListener('install', (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)).then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => {
  event.waitUntil(forgetOthers().then(() => self.clients.claim()));
});

self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  const scope = new URL(self.registration.scope);
  // What the agent tells is never kept.
  if (event.request.method !== 'GET' || url.origin !== scope.origin || url.pathname.startsWith(scope.pathname + 'v1/')) return;
  event.respondWith(answer(event.request));
});

async function answer(request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(request, { ignoreSearch: true })) ?? fetch(request);
}

async function forgetOthers() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith('mirrorscope-') && name !== CACHE).map((name) => caches.delete(name)));
}
