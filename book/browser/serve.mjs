// A server of files, or of pages in memory, on a port of the system's choice.
import { createServer } from 'node:http';
import path from 'node:path';

const TYPES = {
    '.css': 'text/css', '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.json': 'application/json',
    '.png': 'image/png', '.svg': 'image/svg+xml', '.woff2': 'font/woff2',
};

export async function serve(read) {
    const server = createServer((request, response) => {
        const route = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
        const body = read(route);
        response.writeHead(body === undefined ? 404 : 200, { 'content-type': TYPES[path.extname(route)] ?? TYPES['.html'] });
        response.end(body ?? 'not found');
    });
    await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
    return { address: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}
