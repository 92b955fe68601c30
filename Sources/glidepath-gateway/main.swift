print("glidepath-gateway")
