"""The HTTP edge: pages, REST, uploads, and the tunnel that brings sockets to the hubs."""
