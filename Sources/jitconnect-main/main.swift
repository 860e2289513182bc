print("jitconnect")
