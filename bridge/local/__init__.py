"""What `callbridge up` needs beside the bridge: an embedded Redis and a supervisor."""
