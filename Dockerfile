# Tocsin in a container: user 10001, nothing written outside /data, so it runs with a read-only root:
#
#   docker build -t tocsin .
#   docker run --read-only --cap-drop ALL -p 8080:8080 -v tocsin-data:/data tocsin
#
# Two stages, so that pip and its cache stay behind.

FROM python:3.12-slim AS build
WORKDIR /src
COPY requirements.txt ./
RUN python -m venv --without-pip /opt/tocsin \
 && python -m pip --python /opt/tocsin/bin/python install --no-cache-dir --disable-pip-version-check \
      --require-hashes --only-binary :all: -r requirements.txt
COPY app ./app
# No build tool is needed: the package is a folder, the command two lines.
RUN cp -r app "$(/opt/tocsin/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/app" \
 && printf '#!/opt/tocsin/bin/python\nfrom app.main import cli\n\ncli()\n' > /opt/tocsin/bin/tocsin \
 && chmod 755 /opt/tocsin/bin/tocsin \
 && /opt/tocsin/bin/python -m compileall -q /opt/tocsin/lib

FROM python:3.12-slim
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin tocsin \
 && install -d -o 10001 -g 10001 /data
COPY --from=build /opt/tocsin /opt/tocsin
ENV PATH=/opt/tocsin/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TOCSIN_HOST=0.0.0.0 \
    TOCSIN_PORT=8080 \
    TOCSIN_DATABASE_URL=sqlite:////data/tocsin.db
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"TOCSIN_PORT\"]}/livez', timeout=2)"]
ENTRYPOINT ["tocsin"]
CMD ["serve"]
