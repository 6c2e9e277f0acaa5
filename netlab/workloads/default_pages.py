"""The pages that web servers' images bring along, as far as they differ from nothing: in our own words."""

NGINX_ROOT = "/usr/share/nginx/html"
NGINX_VERSION = "1.27.3"
NGINX_WELCOME = """<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
</head>
<body>
<h1>Welcome to nginx!</h1>
<p>This is the page of a web server that nobody has given pages yet. It stands in for the image's own.</p>
<p><em>Thank you for using nginx.</em></p>
</body>
</html>
"""
NGINX_ERROR = """<html>
<head><title>{title}</title></head>
<body>
<center><h1>{title}</h1></center>
<hr><center>nginx/{version}</center>
</body>
</html>
"""
NGINX_PAGES = (("index.html", NGINX_WELCOME),
               ("50x.html", NGINX_ERROR.format(title="An error occurred.", version=NGINX_VERSION)))
NGINX_CONF = "/etc/nginx/conf.d"
NGINX_SERVER = """server {{
    listen {port};
    server_name localhost;
    location / {{ root /usr/share/nginx/html; index index.html index.htm; }}
    error_page 500 502 503 504 /50x.html;
    location = /50x.html {{ root /usr/share/nginx/html; }}
}}
"""
APACHE_ROOT = "/usr/local/apache2/htdocs"
APACHE_PAGES = (("index.html", "<html><body><h1>It works!</h1></body></html>\n"),)

# The front end of the tutorial that connects one to a back end: it passes everything on to the Service "hello".
HELLO_FRONTEND = """upstream Backend { server hello; }
server { listen 80; location / { proxy_pass http://Backend; } }
"""
